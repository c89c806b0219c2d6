# Sourced by the benchmarks: `scratch NAME` makes a directory, and names a place for a PostgreSQL cluster
# beside it (the user that runs PostgreSQL has no access to a directory of ours). Both go away at the end.
# shellcheck shell=bash
scratch() {
    directory=$(mktemp -d "${TMPDIR:-/tmp}/bosa-auth-$1-XXXXXX")
    cluster=$directory-postgres
    trap clean_scratch EXIT
    trap 'exit 130' INT TERM
}

clean_scratch() {
    scripts/postgres.sh stop --dir "$cluster" >&2 || true
    rm -rf "$directory"
}
