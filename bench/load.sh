#!/usr/bin/env bash
# What an answer over HTTP costs beside the least it can cost: throughput, processor time and
# latency of the release server and of two bare ones that send the same bytes. Writes
# bench/results/load.json. About five minutes; --quick is a smoke test of half a minute.
#
#   bench/load.sh [--quick]
#
# Needs python3 and openssl, on Linux; installs the load generator when it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo build --release -p bosa-auth-cli
cargo build --release -p bosa-auth-http --example baseline
bench/tools.sh >/dev/null
built=$(realpath "${CARGO_TARGET_DIR:-target}/release")

exec python3 bench/load/main.py "$built/bosa-auth" "$built/examples/baseline" "$@"
