#!/usr/bin/env bash
# Runs every check of the project: the same command for a developer and for continuous integration.
#
# Needs a Rust toolchain and Node.js. What else is missing (a C compiler, PostgreSQL, PgBouncer, Redis,
# faketime, Chromium, Python) is installed from Debian packages when run as root, and named otherwise;
# the packages of the browser tests are installed beside them with npm, those of the Python tests in
# target/python with pip, and the public clients in target/clients. A private PostgreSQL cluster is
# started for the run and stopped at its end; set BOSA_AUTH_TEST_POSTGRES_URL to use a server of your
# own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

started=$SECONDS
scratch=$(mktemp -d)
cluster=""   # not empty while we have to stop the cluster
browser=""   # the process of the browser tests, while they run
python=""    # that of the Python tests
clients=""   # that of the installation of the public clients, then of the tests with them
gate="preparation"

finish() {
    local status=$?
    trap - EXIT INT TERM
    local suite
    for suite in $browser $python $clients; do
        kill "$suite" 2>/dev/null || true
        wait "$suite" 2>/dev/null || true
    done
    if [ -n "$cluster" ]; then
        scripts/postgres.sh stop --dir "$cluster" >&2 || true
    fi
    summarise
    rm -rf "$scratch"
    if [ "$status" -eq 0 ]; then
        printf '\n== all gates passed (%d s)\n' "$((SECONDS - started))"
    else
        printf '\n== FAILED: %s (%d s)\n' "$gate" "$((SECONDS - started))"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# heading NAME: says what runs now; the name is repeated if it fails.
heading() {
    gate=$1
    printf '\n== [%4d s] %s\n' "$((SECONDS - started))" "$gate"
}

# run NAME COMMAND…: one gate.
run() {
    heading "$1"
    shift
    "$@"
}

# Repeats the test runners' own result lines, each after the suite it belongs to, and adds them up.
summarise() {
    [ -s "$scratch/tests" ] || return 0
    awk '
        { gsub(/\033\[[0-9;]*m/, "") }
        /^ +Running / { suite = $0; sub(/^ +Running /, "", suite); sub(/ \(.*\)$/, "", suite)
                        crate = $0; sub(/^.*\/deps\//, "", crate); sub(/-[0-9a-f]+\)$/, "", crate)
                        suite = crate ": " suite }
        /^ +Doc-tests / { suite = $2 ": doc tests" }
        /^test result: / {
            if (!suites) print "\n== test results"
            suites++
            printf "%-44s %s\n", suite, $0
            for (i = 1; i < NF; i++) {
                if ($(i + 1) ~ /^passed/) passed += $i
                if ($(i + 1) ~ /^failed/) failed += $i
                if ($(i + 1) ~ /^ignored/) ignored += $i
            }
        }
        # The lines of Node.js: its sign, a word and a number.
        FILENAME ~ /browser$/ && NF == 3 && $2 ~ /^(pass|fail|skipped)$/ { said[$2] = $3 }
        FILENAME ~ /browser$/ && NF == 3 && $2 == "skipped" {
            suites++
            printf "%-44s test result: %d passed; %d failed; %d ignored\n", \
                "bosa_auth_cli: tests/browser", said["pass"], said["fail"], said["skipped"]
            passed += said["pass"]
            failed += said["fail"]
            ignored += said["skipped"]
        }
        # The last line of pytest.
        FILENAME ~ /(python|clients)$/ && /^=+ .*(passed|failed|error).* in [0-9.]+s/ {
            split("", pytest)
            for (i = 1; i < NF; i++) {
                word = $(i + 1)
                sub(/,$/, "", word)
                if (word == "passed") pytest["passed"] = $i
                if (word ~ /^(failed|errors?)$/) pytest["failed"] += $i
                if (word ~ /^(skipped|deselected|xfailed)$/) pytest["ignored"] += $i
            }
            suites++
            printf "%-44s test result: %d passed; %d failed; %d ignored\n", \
                FILENAME ~ /python$/ ? "bosa_auth: python" : "bosa_auth_cli: tests/clients", pytest["passed"], pytest["failed"], pytest["ignored"]
            passed += pytest["passed"]
            failed += pytest["failed"]
            ignored += pytest["ignored"]
        }
        END {
            if (suites) printf "total: %d passed, %d failed, %d ignored in %d suites\n", \
                passed, failed, ignored, suites
        }' "$scratch/tests" "$scratch/browser" "$scratch/python" "$scratch/clients"
}

as_root() { [ "$(id -u)" -eq 0 ]; }

# need PROGRAM PACKAGE: installs a Debian package if the program is missing.
need() {
    command -v "$1" >/dev/null && return 0
    if as_root && command -v apt-get >/dev/null; then
        printf 'installing %s\n' "$2"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    else
        printf '%s is missing: install it (Debian: apt-get install %s) and run this again\n' \
            "$1" "$2" >&2
        return 1
    fi
}

need_pooler() {
    # Not on the path of everybody.
    PATH="$PATH:/usr/sbin" command -v pgbouncer >/dev/null && return 0
    need pgbouncer pgbouncer
    # The package starts one that nobody here asked for.
    ! command -v systemctl >/dev/null || systemctl disable -q --now pgbouncer 2>/dev/null || true
}

need_redis() {
    command -v redis-server >/dev/null && return 0
    need redis-server redis-server
    # As above: each test starts its own.
    ! command -v systemctl >/dev/null || systemctl disable -q --now redis-server 2>/dev/null || true
}

need_node() {
    need node nodejs
    need npm npm
    node --eval 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' || {
        printf 'Node.js %s is too old: install version 20 or newer and run this again\n' \
            "$(node --version)" >&2
        return 1
    }
}

tools() {
    if ! command -v cargo >/dev/null && [ -f "${CARGO_HOME:-${HOME:-}/.cargo}/env" ]; then
        # shellcheck disable=SC1091
        . "${CARGO_HOME:-${HOME:-}/.cargo}/env"
    fi
    command -v cargo >/dev/null || {
        printf 'cargo is missing: install Rust from https://rustup.rs and run this again\n' >&2
        return 1
    }
    if ! { cargo fmt --version && cargo clippy --version; } >/dev/null 2>&1; then
        command -v rustup >/dev/null || {
            printf 'cargo fmt and cargo clippy are missing: install both and run this again\n' >&2
            return 1
        }
        rustup component add rustfmt clippy
    fi
    need cc build-essential   # SQLite and the cryptography are C; cmake is not needed
    need curl curl            # the README's tour is run as it stands
    need openssl openssl      # certificates of the test server, keys of the tests
    need git git              # lists the tracked files for `cargo xtask repository`
    need faketime faketime    # moves the wall clock of a server
    need_redis                # the original's, for the tests of the import
    need_pooler               # stands between servers and their database
    need_node                 # runs the browser tests and their OAuth provider
    need chromium chromium    # a real browser on the pages that users see
    cargo --version
    cc --version | head -n 1
}

postgres() {
    if [ -z "${BOSA_AUTH_TEST_POSTGRES_URL:-}" ]; then
        local line
        # A cluster of this run alone, in a place that the server's user can reach.
        cluster="${TMPDIR:-/tmp}/bosa-auth-test-$$"
        line=$(scripts/postgres.sh start --dir "$cluster")
        eval "$line"
    fi
    # The address without a password, if it has one.
    printf 'PostgreSQL at %s\n' "${BOSA_AUTH_TEST_POSTGRES_URL:?}" |
        sed -E 's#(://[^:/@]*):[^@]*@#\1:…@#'
}

# A connection through a real provider and a real browser, on the executable that was just built.
# Runs in the background, in a process that it becomes itself.
browser_tests() {
    cd crates/cli/tests/browser
    exec node --test --test-reporter=spec
}

tests() {
    local failed=0
    heading "build of the tests, and the public clients beside it"
    scripts/clients.sh install >"$scratch/clients" 2>&1 &
    clients=$!
    cargo test --workspace --locked --no-run
    heading "build of the Python package"
    scripts/python.sh install
    heading "what the installation of the public clients said"
    wait "$clients" || failed=1
    clients=""
    cat "$scratch/clients"
    [ "$failed" -eq 0 ]
    heading "tests, doc tests included, and those in a browser, in Python and of public clients beside them"
    browser_tests >"$scratch/browser" 2>&1 &
    browser=$!
    scripts/python.sh pytest --color=no >"$scratch/python" 2>&1 &
    python=$!
    scripts/clients.sh pytest --color=no >"$scratch/clients" 2>&1 &
    clients=$!
    # Result lines go to stdout and suite names to stderr; the summary needs both in order.
    cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$scratch/tests" || failed=1
    wait "$browser" || failed=1
    browser=""
    wait "$python" || failed=1
    python=""
    wait "$clients" || failed=1
    clients=""
    heading "what the tests in a browser said"
    cat "$scratch/browser"
    heading "what the tests in Python said"
    cat "$scratch/python"
    heading "what the tests of public clients said"
    cat "$scratch/clients"
    [ "$failed" -eq 0 ]
}

run "tools" tools
run "format" cargo fmt --all --check
run "lints" cargo clippy --workspace --all-targets --locked -- -D warnings # benches included
run "PostgreSQL" postgres
tests
run "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
run "dependency policy" cargo xtask deny
run "repository text" cargo xtask repository
run "generated documents" cargo xtask documents --check
run "generated OpenAPI description" cargo xtask openapi --check
