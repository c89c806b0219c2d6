# Environments of released Python packages, each with the versions that a file names. Read by other scripts,
# not run; they set `environments`, the directory of all of them. The packages are compiled for CPython 3.11.
# shellcheck shell=bash

candidates=(python3.11 python3)
fitting='sys.version_info[:2] == (3, 11)'
fitting_is='CPython 3.11'
. scripts/interpreter.sh

pip() {
    "$@" --quiet --disable-pip-version-check --no-input --no-compile --no-warn-conflicts
}

# environment NAME FILE: made anew when what it should hold has changed.
environment() {
    local wanted=$2 made=$environments/$1
    if ! cmp -s "$wanted" "$made/requirements.txt"; then
        printf 'installing %s\n' "$1"
        rm -rf "$made"
        "$(interpreter)" -m venv "$made"
        # The file names every version: nothing is left to be chosen.
        pip "$made/bin/pip" install --no-deps -r "$wanted"
        cp "$wanted" "$made/requirements.txt"
    fi
}

# releases FILE [NAME]: each PACKAGE==VERSION of the file alone, to go before what is in an environment: in
# that of this name, or of the package's.
releases() {
    local line made
    while read -r line; do
        made=$environments/${line/==/-}
        if [[ $line == *==* ]] && ! [ -d "$made" ]; then
            printf 'installing %s\n' "$line"
            rm -rf "$made.part"
            pip "$environments/${2:-${line%%==*}}/bin/pip" install --no-deps --target "$made.part" "$line"
            mv "$made.part" "$made"
        fi
    done <"$1"
}
