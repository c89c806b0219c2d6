#!/usr/bin/env bash
# Ours beside other systems that do the same: verifying a token and verifying a key, in process and
# over HTTP, in turns within one run. Writes bench/results/rivals.json. About six minutes after
# installing; --quick is a smoke test.
#
#   bench/rivals.sh [--quick]
#
# Needs python3, npm and psql, on Linux; installs the load generator, PostgreSQL, Redis and the rivals
# when they are missing (the rivals under the cache directory). A rival that cannot be had is named
# and left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p bosa-auth-cli
cargo build --release -p bosa-auth --example verify_rate
bench/tools.sh >/dev/null
built=$(realpath "${CARGO_TARGET_DIR:-target}/release")

exec python3 bench/rivals/main.py "$built/bosa-auth" "$built/examples/verify_rate" "$@"
