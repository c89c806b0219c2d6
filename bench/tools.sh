#!/usr/bin/env bash
# Installs the load generator and prints its path.
#
# oha is open loop with a rate (-q RATE --latency-correction): the times of sending are made by the
# rate alone and wait in an unbounded queue, and a latency counts from its time, not from the moment
# a connection was free. The queue is served by at most -c connections, so give it enough of them.
# Two limits: the times are rounded up to the milliseconds of its timer, so requests come in small
# bursts; and a time is taken when its timer fires, so a generator that itself gets no processor
# hides that delay. Watch that the rate is reached.
set -euo pipefail

VERSION=1.16.0
root="${XDG_CACHE_HOME:-$HOME/.cache}/bosa-auth-bench/oha-$VERSION"
if [ ! -x "$root/bin/oha" ]; then
    CARGO_TARGET_DIR="$root/target" cargo install oha --version "$VERSION" --locked --root "$root" >&2
    rm -rf "$root/target"
fi
echo "$root/bin/oha"
