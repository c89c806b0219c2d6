#!/usr/bin/env bash
# The public clients against the built server: scripts/clients.sh {install|pytest [arguments]|test [arguments]}
#
# install   installs every client, each in an environment of its own, into target/clients, checks the
#           sources of the tests, and installs the packages of the tests in a browser
# pytest    runs the tests on what is installed there and on the built executable, on SQLite and on
#           the PostgreSQL of BOSA_AUTH_TEST_POSTGRES_URL
# test      both of them
#
# Needs CPython 3.11 with venv, since some clients are compiled for that version alone, and Node.js and
# Chromium; Python is installed from Debian packages when missing and run as root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests=crates/cli/tests/clients
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environments=$target/clients

. scripts/releases.sh

install() {
    local requirements name
    need_python
    mkdir -p "$environments"
    for requirements in "$tests"/requirements/*.txt; do
        name=$(basename "$requirements" .txt)
        [ "$name" = older ] || environment "$name" "$requirements"
    done
    releases "$tests/requirements/older.txt"
    "$environments/tests/bin/ruff" format --check "$tests"
    "$environments/tests/bin/ruff" check "$tests"
    (
        cd crates/cli/tests/browser
        # npm notes what it has installed.
        if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
            npm ci --ignore-scripts --no-audit --no-fund
        fi
    )
}

tests() {
    : "${BOSA_AUTH_TEST_POSTGRES_URL:?set it, for example by: eval \"\$(scripts/postgres.sh start)\"}"
    export CARGO_TARGET_DIR=$target
    cd "$tests"
    exec "$environments/tests/bin/python" -m pytest -p no:cacheprovider "$@"
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
    *)
        sed -n 's/^# \{0,1\}//; 2,8p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
