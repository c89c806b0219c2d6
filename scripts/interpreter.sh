# The Python interpreter that other scripts make environments with. Read by them, not run; they set
# `candidates`, the names to look for in this order, and `fitting`, what the version must be: an
# expression of Python, and the same for people in `fitting_is`.
# shellcheck shell=bash

# Prints the first candidate that fits and can make environments.
interpreter() {
    local candidate
    for candidate in "${candidates[@]}"; do
        if "$candidate" -c "import sys, venv, ensurepip; sys.exit(not ($fitting))" 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

need_python() {
    interpreter >/dev/null && return 0
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        printf 'installing python3\n'
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3 python3-venv >/dev/null
    fi
    interpreter >/dev/null || {
        printf '%s with venv is missing: install it (Debian: apt-get install python3 python3-venv) and run this again\n' \
            "$fitting_is" >&2
        return 1
    }
}
