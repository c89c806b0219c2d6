#!/usr/bin/env bash
# What the server weighs: resident memory at rest and under load, size of the binary, and how long it
# takes from the start of the process to its first answer. Writes bench/results/footprint.json. About
# one and a half minutes.
#
#   bench/footprint.sh
#
# Needs python3 and psql, on Linux; installs the load generator when it is missing. PostgreSQL is a
# cluster of its own under the temporary directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p bosa-auth-cli
bench/tools.sh >/dev/null
program=$(realpath "${CARGO_TARGET_DIR:-target}/release/bosa-auth")

. bench/scratch.sh
scratch footprint

eval "$(scripts/postgres.sh start --dir "$cluster")"
psql -Xqc "create database footprint template template0" "$BOSA_AUTH_TEST_POSTGRES_URL"
python3 bench/footprint/main.py "$program" "$directory" "${BOSA_AUTH_TEST_POSTGRES_URL%/*}/footprint"
