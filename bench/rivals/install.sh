#!/usr/bin/env bash
# Installs what the rivals need, outside the repository, and prints where it is.
#
#   bench/rivals/install.sh python   the interpreter of a virtual environment
#   bench/rivals/install.sh node     the folder that holds node_modules
#   bench/rivals/install.sh redis    the program
#
# What is installed is kept under the cache directory, under a name made of the list of packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/bosa-auth-bench"

fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

# place NAME FILE…: prints the folder for what these lists of packages say.
place() {
    local name=$1
    shift
    printf '%s/%s-%s' "$cache" "$name" "$(cat "$@" | sha256sum | cut -c 1-12)"
}

install_python() {
    local folder
    folder=$(place python requirements.txt)
    if [ ! -e "$folder/complete" ]; then
        rm -rf "$folder"
        {
            python3 -m venv "$folder"
            "$folder/bin/python" -m pip install --requirement requirements.txt
        } >&2
        touch "$folder/complete"
    fi
    echo "$folder/bin/python"
}

install_node() {
    local folder headers
    command -v npm >/dev/null || fail "npm is missing"
    folder=$(place node package.json package-lock.json)
    if [ ! -e "$folder/complete" ]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        cp package.json package-lock.json "$folder"
        # Where the headers of Node are at hand, nothing is downloaded to compile against.
        headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
        if [ -e "$headers/include/node/node.h" ]; then
            export npm_config_nodedir=$headers
        fi
        (cd "$folder" && npm ci --no-audit --no-fund) >&2
        touch "$folder/complete"
    fi
    echo "$folder"
}

install_redis() {
    if ! command -v redis-server >/dev/null; then
        [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null ||
            fail "redis-server is missing; install it (Debian: apt-get install redis-server)"
        # The package must not start a server of its own.
        {
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -q
            RUNLEVEL=1 apt-get install -q -y --no-install-recommends redis-server
        } >&2
    fi
    command -v redis-server
}

case ${1:-} in
python) install_python ;;
node) install_node ;;
redis) install_redis ;;
*)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
