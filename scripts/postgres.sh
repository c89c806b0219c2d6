#!/usr/bin/env bash
# A private PostgreSQL cluster for tests: no system service, no password, no durability.
#
#   eval "$(scripts/postgres.sh start)"   starts it (or finds it running), exports its URL
#                                         and the file of its certificate authority
#   scripts/postgres.sh url               prints the URL of the running cluster
#   scripts/postgres.sh stop              stops it and removes its data
#
# `--dir DIR` after the verb keeps the cluster there instead of in a directory of the user's under
# the temporary directory. PostgreSQL 15 or newer is taken from the path or from
# /usr/lib/postgresql, else installed as a Debian package when run as root. PostgreSQL refuses to
# run as root: the server then runs as the user `postgres`, or `nobody`.
set -euo pipefail

readonly OLDEST=15
readonly ROLE=bosa

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
}

fail() {
    printf 'postgres.sh: %s\n' "$*" >&2
    exit 1
}

# binaries: prints the directory of the newest usable PostgreSQL, or nothing.
binaries() {
    local found
    found=$(
        {
            printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin
            for program in initdb pg_ctl; do
                dirname "$(readlink -f "$(command -v "$program" || echo /nonexistent/x)")"
            done
        } | while read -r directory; do
            [ -x "$directory/initdb" ] && [ -x "$directory/pg_ctl" ] || continue
            version=$("$directory/pg_ctl" --version | grep -o '[0-9]\+' | head -n 1)
            [ "$version" -ge "$OLDEST" ] && printf '%s %s\n' "$version" "$directory"
        done | sort -rn | head -n 1
    ) || true
    printf '%s' "${found#* }"
}

# Installs the server's package without letting it start a cluster of its own.
install_postgres() {
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null ||
        fail "PostgreSQL $OLDEST or newer is missing; install it (Debian: apt-get install postgresql)"
    {
        export DEBIAN_FRONTEND=noninteractive
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
        apt-get update -q
        apt-get install -q -y --no-install-recommends postgresql
    } >&2
}

# as_server COMMAND…: runs it as the user the server runs as.
as_server() {
    if [ "$(id -u)" -ne 0 ]; then
        "$@"
    elif command -v runuser >/dev/null; then
        runuser -u "$server_user" -- "$@"
    else
        su -s /bin/sh "$server_user" -c 'exec "$@"' -- sh "$@"
    fi
}

running() {
    [ -f "$dir/url" ] && [ -d "$dir/data" ] && as_server "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1
}

# Takes a directory that is ours alone: the temporary directory is everybody's.
make_directory() {
    if ! mkdir -m 700 "$dir" 2>/dev/null; then
        [ -d "$dir" ] && [ ! -L "$dir" ] || fail "$dir cannot be created"
        case $(stat -c %U "$dir") in
        "$server_user" | "$(id -un)") ;;
        *) fail "$dir belongs to another user" ;;
        esac
    fi
    if [ "$(id -u)" -eq 0 ]; then
        chown "$server_user" "$dir"
    fi
    as_server test -w "$dir" || fail "$server_user cannot write to $dir; choose another with --dir"
}

port_in_use() {
    (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A certificate authority and a certificate of its for `localhost`, where openssl is at hand: the
# tests of TLS need them.
make_certificates() {
    command -v openssl >/dev/null || return 0
    (
        cd "$dir/data"
        as_server openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -days 30 -subj '/CN=test authority' -keyout ca.key -out ca.crt
        as_server openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
            -subj '/CN=localhost' -keyout server.key -out server.csr
        echo 'subjectAltName=DNS:localhost' | as_server tee san.cnf
        as_server openssl x509 -req -in server.csr -days 30 -CA ca.crt -CAkey ca.key \
            -CAcreateserial -extfile san.cnf -out server.crt
    ) >"$dir/openssl.log" 2>&1 9>&- || { cat "$dir/openssl.log" >&2 && fail "no certificates"; }
    cp "$dir/data/ca.crt" "$dir/ca.crt"
    echo 'ssl = on' >>"$dir/data/postgresql.conf"
}

start_server() {
    local port sockets attempt
    sockets=$dir
    # A socket's path may have 107 bytes.
    [ "${#dir}" -le 85 ] || sockets=""
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        port_in_use "$port" && continue
        cat >"$dir/data/bosa.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$sockets'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 64MB
max_wal_size = 256MB
log_min_messages = warning
log_min_error_statement = panic
timezone = 'UTC'
CONF
        if (cd / && as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start) \
            >/dev/null 2>&1 9>&- </dev/null; then
            printf 'postgresql://%s@127.0.0.1:%s/postgres\n' "$ROLE" "$port" >"$dir/url"
            return
        fi
    done
    tail -n 20 "$dir/log" >&2 || true
    fail "the server does not start after $attempt attempts"
}

start() {
    make_directory
    # Two that start at once wait for each other.
    exec 9>"$dir/lock"
    flock 9
    if ! running; then
        rm -rf "$dir/data" "$dir/url"
        (cd / && as_server env LC_ALL=C "$bin/initdb" -D "$dir/data" -U "$ROLE" --auth=trust \
            --no-sync --encoding=UTF8 --locale=C) >"$dir/initdb.log" 2>&1 9>&- ||
            { cat "$dir/initdb.log" >&2 && fail "initdb failed"; }
        echo "include 'bosa.conf'" >>"$dir/data/postgresql.conf"
        make_certificates
        start_server
    fi
    if [ -f "$dir/ca.crt" ]; then
        printf 'export BOSA_AUTH_TEST_POSTGRES_CA=%q\n' "$dir/ca.crt"
    fi
    printf 'export BOSA_AUTH_TEST_POSTGRES_URL=%q\n' "$(cat "$dir/url")"
}

stop() {
    [ -d "$dir" ] || return 0
    [ ! -L "$dir" ] || fail "$dir is a symbolic link"
    if [ -n "$bin" ] && running; then
        (cd / && as_server "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop) >/dev/null
    fi
    rm -rf "$dir/data" "$dir/log" "$dir/initdb.log" "$dir/openssl.log" "$dir/ca.crt" "$dir/url" "$dir/lock"
    rmdir "$dir" 2>/dev/null || true
}

verb=${1:-}
[ $# -eq 0 ] || shift
dir=""
while [ $# -gt 0 ]; do
    case $1 in
    --dir)
        [ $# -ge 2 ] || fail "--dir needs a directory"
        dir=$2
        shift 2
        ;;
    *) fail "unknown argument $1" ;;
    esac
done

bin=$(binaries)
# First of all, because the package makes the user that the server runs as.
if [ "$verb" = start ] && [ -z "$bin" ]; then
    install_postgres
    bin=$(binaries)
    [ -n "$bin" ] || fail "no usable PostgreSQL after installing it"
fi
server_user=$(id -un)
if [ "$(id -u)" -eq 0 ]; then
    server_user=nobody
    if id postgres >/dev/null 2>&1; then
        server_user=postgres
    fi
fi
if [ -z "$dir" ]; then
    parent=${TMPDIR:-/tmp}
    # The server's user may not be able to reach our own temporary directory.
    as_server test -x "$parent" || parent=/tmp
    dir=${parent%/}/bosa-auth-postgres-$(id -u)
fi
case $dir in
/*) ;;
*) dir=$PWD/$dir ;;
esac

case $verb in
start) start ;;
stop) stop ;;
url)
    [ -n "$bin" ] && running || fail "the cluster is not running; start it with: scripts/postgres.sh start"
    cat "$dir/url"
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
