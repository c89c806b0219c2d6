#!/usr/bin/env bash
# How cost, memory and start-up time grow with the number of users, ten tokens each, on SQLite and on
# PostgreSQL. Writes bench/results/scale.json. About half an hour with the usual sizes.
#
#   bench/scale.sh                  1,000, 100,000 and 1,000,000 users
#   bench/scale.sh 1000 20000       these numbers of users
#   bench/scale.sh --only sqlite    one database (sqlite, postgres) and the sizes that follow
#
# Needs psql, python3 and 15 GB under the temporary directory for a million users. The databases are
# made there, each removed when it has been measured; PostgreSQL is a cluster of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

databases="sqlite postgres"
if [ "${1:-}" = --only ]; then
    databases=$2
    shift 2
fi
[ $# -gt 0 ] || set -- 1000 100000 1000000

cargo build --release -p bosa-auth-cli
cargo bench -p bosa-auth --bench scale --no-run
program=$(realpath "${CARGO_TARGET_DIR:-target}/release/bosa-auth")

. bench/scratch.sh
scratch scale

rows=$directory/rows
measure() {
    cargo bench -q -p bosa-auth --bench scale -- "$1" "$2" "$3" "$program" "$directory" >>"$rows"
}

for database in $databases; do
    if [ "$database" = postgres ]; then
        eval "$(scripts/postgres.sh start --dir "$cluster")"
        server=$BOSA_AUTH_TEST_POSTGRES_URL
    fi
    for users in "$@"; do
        case $database in
        sqlite)
            mkdir "$directory/$users"
            measure sqlite "sqlite:///$directory/$users/auth.db" "$users"
            rm -r "${directory:?}/$users"
            ;;
        postgres)
            psql -Xqc "create database scale_$users template template0" "$server"
            measure postgres "${server%/*}/scale_$users" "$users"
            psql -Xqc "drop database scale_$users" "$server"
            ;;
        *)
            echo "scale.sh: unknown database $database" >&2
            exit 2
            ;;
        esac
    done
done

python3 bench/scale/result.py "$rows"
