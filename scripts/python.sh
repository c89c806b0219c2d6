#!/usr/bin/env bash
# The Python package: scripts/python.sh {environment|wheel|install|pytest [arguments]|test [arguments]}
#
# environment  makes target/python with what builds and tests the package
# wheel        builds a wheel to install elsewhere into target/wheels, optimised
# install      checks the sources, builds a wheel in the profile of the other tests, and installs it
#              into target/python
# pytest       runs the tests on what is installed there, on SQLite and on the PostgreSQL of
#              BOSA_AUTH_TEST_POSTGRES_URL
# test         both of them
#
# Needs CPython 3.11 or newer with venv; installed from Debian packages when missing and run as root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=crates/python
target=${CARGO_TARGET_DIR:-$PWD/target}
environment=$target/python
bin=$environment/bin

candidates=(python3 python3.14 python3.13 python3.12 python3.11)
fitting='sys.version_info >= (3, 11)'
fitting_is='CPython 3.11 or newer'
. scripts/interpreter.sh

environment() {
    need_python
    # Made anew when what it should hold has changed.
    if ! cmp -s "$package/requirements.txt" "$environment/requirements.txt"; then
        rm -rf "$environment"
        "$(interpreter)" -m venv "$environment"
        "$bin/pip" install --quiet --disable-pip-version-check -r "$package/requirements.txt"
        cp "$package/requirements.txt" "$environment/requirements.txt"
    fi
}

# wheel DIRECTORY [maturin arguments]
wheel() {
    local into=$1
    shift
    rm -rf "$into"
    "$bin/maturin" build --quiet --locked --manifest-path "$package/Cargo.toml" --out "$into" "$@"
    ls "$into"
}

sources() {
    "$bin/ruff" format --check "$package"
    "$bin/ruff" check "$package"
    "$bin/python" "$package/blocking.py" --check
}

install() {
    environment
    sources
    wheel "$target/wheels-dev" --profile dev
    "$bin/pip" install --quiet --disable-pip-version-check --no-deps --force-reinstall \
        "$target"/wheels-dev/*.whl
}

tests() {
    : "${BOSA_AUTH_TEST_POSTGRES_URL:?set it, for example by: eval \"\$(scripts/postgres.sh start)\"}"
    cd "$package/tests"
    exec "$bin/python" -m pytest "$@"
}

verb=${1:-}
[ $# -eq 0 ] || shift
case "$verb" in
    environment) environment ;;
    wheel)
        environment
        wheel "$target/wheels" --release "$@"
        ;;
    install) install ;;
    pytest) tests "$@" ;;
    test)
        install
        tests "$@"
        ;;
    *)
        sed -n 's/^# \{0,1\}//; 2,10p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
