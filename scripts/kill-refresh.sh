#!/usr/bin/env bash
# Kills real servers, one after the other, while they refresh the same accounts at a provider whose
# refresh tokens are used once, with and without a grace, on SQLite and on PostgreSQL. Fails when an
# account is lost without saying so. Writes bench/results/kill-refresh.json. About seven seconds a
# kill and case, four cases at a time, after compiling.
#
#   scripts/kill-refresh.sh [KILLS]     kills of each case; 50 when not given
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kills=${1:-50}
output=$(mktemp)
trap 'rm -f "$output"' EXIT
eval "$(scripts/postgres.sh start)"
BOSA_AUTH_TEST_KILL_ROUNDS=$kills \
    cargo test --workspace --test cli -- --nocapture refreshing::with 2>&1 | tee "$output"
sed -n 's/^.*kill-refresh: //p' "$output" |
    python3 -c 'import json, sys; print(json.dumps([json.loads(line) for line in sys.stdin]))' |
    python3 bench/result.py kill-refresh
