#!/usr/bin/env bash
# What the change feed costs many revocations at once, beside the same transactions without it and
# with a feed in 16 parts, on SQLite and on a PostgreSQL that waits for the disk. Writes
# bench/results/revocations.json. About a minute after compiling.
#
#   bench/revocations.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo bench --workspace --bench revocations --no-run
. bench/scratch.sh
scratch revocations

measure() {
    cargo bench -q --workspace --bench revocations -- "$1"
}

eval "$(scripts/postgres.sh start --dir "$cluster")"
server=$BOSA_AUTH_TEST_POSTGRES_URL
# The cluster for tests gives up durability; a revocation is to be waited for.
for setting in fsync synchronous_commit full_page_writes; do
    psql -Xqc "alter system set $setting = on" "$server"
done
psql -Xqc "select pg_reload_conf()" "$server" >/dev/null
psql -Xqc "create database revocations template template0" "$server"

measure "${server%/*}/revocations" >"$directory/postgres.json"
measure "sqlite:///$directory/bench.db" >"$directory/sqlite.json"
python3 -c 'import json, sys; print(json.dumps([row for path in sys.argv[1:] for row in json.load(open(path))]))' \
    "$directory/postgres.json" "$directory/sqlite.json" |
    python3 bench/result.py revocations
