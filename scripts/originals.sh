#!/usr/bin/env bash
# Releases of the original, and the import of what they make:
# scripts/originals.sh {install|pytest [arguments]|test [arguments]|fixtures DIRECTORY [names]}
#
# install   installs the releases, and what they run with, into target/originals, and checks the sources
# pytest    lets them make databases, imports these with the built executable into SQLite, into the
#           PostgreSQL of BOSA_AUTH_TEST_POSTGRES_URL and into themselves, and checks everything known
# test      both of them
# fixtures  lets them make anew what is in crates/bosa-auth/tests/fixtures/original-releases
#
# The tests take ten minutes and are no part of scripts/test.sh. Needs CPython 3.11 with venv, since the
# releases are compiled for it, pg_dump and redis-server; it starts a Redis of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests=crates/cli/tests/originals
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environments=$target/originals

. scripts/releases.sh

install() {
    need_python
    mkdir -p "$environments"
    environment original "$tests/requirements/original.txt"
    environment tests crates/cli/tests/clients/requirements/tests.txt
    releases "$tests/requirements/releases.txt" original
    "$environments/tests/bin/ruff" format --check "$tests"
    "$environments/tests/bin/ruff" check "$tests"
}

# with_redis COMMAND…: runs it beside a Redis of its own.
with_redis() {
    local scratch port redis code=0
    : "${BOSA_AUTH_TEST_POSTGRES_URL:?set it, for example by: eval \"\$(scripts/postgres.sh start)\"}"
    command -v redis-server >/dev/null || {
        printf 'redis-server is missing: install it (Debian: apt-get install redis-server)\n' >&2
        return 1
    }
    scratch=$(mktemp -d)
    port=$((32000 + RANDOM % 20000))
    redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$scratch" >"$scratch/log" &
    redis=$!
    until grep -q 'Ready to accept' "$scratch/log"; do
        kill -0 "$redis" || { cat "$scratch/log" >&2 && return 1; }
        sleep 0.1
    done
    BOSA_AUTH_TEST_REDIS_PORT=$port CARGO_TARGET_DIR=$target "$@" || code=$?
    kill "$redis"
    wait "$redis" || true
    rm -rf "$scratch"
    return "$code"
}

tests() {
    cd "$tests"
    with_redis "$environments/tests/bin/python" -m pytest -p no:cacheprovider "$@"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case "$verb" in
    install) install ;;
    pytest) tests "$@" ;;
    test)
        install
        tests "$@"
        ;;
    fixtures)
        install
        PYTHONPATH=crates/cli/tests/clients \
            with_redis "$environments/tests/bin/python" "$tests/fixtures.py" "$@"
        ;;
    *)
        sed -n 's/^# \{0,1\}//; 2,13p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
