#!/usr/bin/env bash
# How long a revocation takes to reach the other servers: the time from its answer on one server to
# the last request that another one still accepted. Three servers on PostgreSQL, with announcements
# and without, and two on SQLite, each at the bounds of 1000 ms and 200 ms. Writes
# bench/results/nodes.json. About four minutes; --quick is a smoke test of half a minute.
#
#   bench/nodes.sh [--quick]
#
# Needs python3 and psql, on Linux. PostgreSQL is a cluster of its own under the temporary directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p bosa-auth-cli
program=$(realpath "${CARGO_TARGET_DIR:-target}/release/bosa-auth")

. bench/scratch.sh
scratch nodes

eval "$(scripts/postgres.sh start --dir "$cluster")"
server=$BOSA_AUTH_TEST_POSTGRES_URL
# An ordinary role: without this privilege it cannot announce anything.
psql -Xqc "create role plain login" "$server"
for name in announced polled; do
    psql -Xqc "create database $name template template0 owner plain" "$server"
done
psql -Xqc "revoke execute on function pg_notify(text, text) from public" "${server%/*}/polled"

python3 bench/nodes/main.py "$program" "$directory" "${server/:\/\/*@/://plain@}" "$@"
