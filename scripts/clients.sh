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

candidates=(python3.11 python3)
fitting='sys.version_info[:2] == (3, 11)'
fitting_is='CPython 3.11'
. scripts/interpreter.sh

pip() {
    "$@" --quiet --disable-pip-version-check --no-input --no-compile --no-warn-conflicts
}

# environment NAME: made anew when what it should hold has changed.
environment() {
    local name=$1 wanted=$tests/requirements/$1.txt made=$environments/$1
    if ! cmp -s "$wanted" "$made/requirements.txt"; then
        printf 'installing %s\n' "$name"
        rm -rf "$made"
        "$(interpreter)" -m venv "$made"
        # The file names every version: nothing is left to be chosen.
        pip "$made/bin/pip" install --no-deps -r "$wanted"
        cp "$wanted" "$made/requirements.txt"
    fi
}

# older PACKAGE VERSION: a release alone, to go before the environment of the newest one.
older() {
    local made=$environments/$1-$2
    if ! [ -d "$made" ]; then
        printf 'installing %s %s\n' "$1" "$2"
        rm -rf "$made.part"
        pip "$environments/$1/bin/pip" install --no-deps --target "$made.part" "$1==$2"
        mv "$made.part" "$made"
    fi
}

install() {
    local requirements line
    need_python
    mkdir -p "$environments"
    for requirements in "$tests"/requirements/*.txt; do
        requirements=$(basename "$requirements" .txt)
        [ "$requirements" = older ] || environment "$requirements"
    done
    while read -r line; do
        case "$line" in
            *==*) older "${line%%==*}" "${line##*==}" ;;
        esac
    done <"$tests/requirements/older.txt"
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
