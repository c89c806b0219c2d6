#!/usr/bin/env bash
# How long `bosa-auth import bosa` takes and what memory it needs, into an empty SQLite file and an empty
# PostgreSQL database, and once more when everything is there already. Writes bench/results/import.json.
# About two minutes after compiling.
#
#   bench/import.sh             20,000 users, 100,000 tokens, 20,000 integrations
#   bench/import.sh 1000        this number of users, five tokens and one integration each
#
# Needs python3 and psql, on Linux. PostgreSQL is a cluster of its own under the temporary directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p bosa-auth-cli
program=$(realpath "${CARGO_TARGET_DIR:-target}/release/bosa-auth")

. bench/scratch.sh
scratch import

eval "$(scripts/postgres.sh start --dir "$cluster")"
python3 bench/import/main.py "$program" "$directory" "$BOSA_AUTH_TEST_POSTGRES_URL" "${1:-20000}"
