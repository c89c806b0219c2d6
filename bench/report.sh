#!/usr/bin/env bash
# Writes the figures of bench/results/ into docs/performance.md and draws docs/performance.png.
# Needs python3 with venv; the plotting library goes into a directory of its own in the user's cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

plotting="${XDG_CACHE_HOME:-$HOME/.cache}/bosa-auth-bench/plot-3.11.2"
if [ ! -x "$plotting/bin/python" ]; then
    python3 -m venv "$plotting"
    "$plotting/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2
fi
python3 bench/report.py
"$plotting/bin/python" bench/plot.py
