#!/usr/bin/env bash
# What a verification from memory costs beside its signature check, on one thread and on two. Writes
# bench/results/verify.json. About two minutes after compiling; --quick is a smoke test.
#
#   bench/verify.sh [--quick]
#
# Needs python3, and two cores that nothing else uses.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo bench -p bosa-auth --bench verify --no-run
rows=$(cargo bench -q -p bosa-auth --bench verify -- "$@")
python3 bench/result.py verify <<<"$rows"
