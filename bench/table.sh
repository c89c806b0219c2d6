#!/usr/bin/env bash
# Writes the results of the last `cargo bench -p bosa-auth` into docs/performance.md, between its
# two markers. Needs python3; asks the PostgreSQL of BOSA_AUTH_TEST_POSTGRES_URL for its settings
# when psql is at hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

postgres="settings unknown"
if [ -n "${BOSA_AUTH_TEST_POSTGRES_URL:-}" ] && command -v psql >/dev/null; then
    postgres=$(psql -XAtq "$BOSA_AUTH_TEST_POSTGRES_URL" -c "select format(
        '%s, fsync %s, synchronous_commit %s', split_part(current_setting('server_version'), ' ', 1),
        current_setting('fsync'), current_setting('synchronous_commit'))")
fi
cpu=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1)
cores=$(getconf _NPROCESSORS_ONLN)
export POSTGRES="$postgres" MACHINE="${cpu:-unknown processor}, $cores cores, $(uname -sm)"
export RUSTC="$(rustc --version | cut -d ' ' -f 1-2)"
export RESULTS="${CARGO_TARGET_DIR:-target}/criterion" DOCUMENT=docs/performance.md

python3 - <<'PYTHON'
import datetime, json, os, pathlib, sys

BEGIN, END = "<!-- bench/table.sh: begin -->", "<!-- bench/table.sh: end -->"
DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
BASELINES = {
    "baseline/select": "one look-up by primary key",
    "baseline/insert": "one insert in a transaction",
    "baseline/hmac_key": "HMAC-SHA-256 of a client key",
    "baseline/hmac_key_and_token": "HMAC-SHA-256 of a client key and of a token",
    "baseline/argon2": "Argon2id at the default cost",
}
# Each operation with the baselines that it is held against.
OPERATIONS = {
    "verify_api_key": ("verify an API key", ["select", "hmac_key"]),
    "verify_token": ("verify a token (key and token)", ["select", "hmac_key_and_token"]),
    "read_integration": ("read an integration", ["select"]),
    "issue_token": ("issue a token", ["insert"]),
    "login_generated_secret": ("log in with a generated secret", ["insert"]),
    "write_integration": ("write an integration", ["insert"]),
    "login_chosen_secret": ("log in with a chosen secret", ["argon2"]),
}
COLUMNS = [("look-ups", ["select"]), ("inserts", ["insert"]),
           ("HMACs", ["hmac_key", "hmac_key_and_token"]), ("Argon2ids", ["argon2"])]

medians, newest = {}, 0
for file in pathlib.Path(os.environ["RESULTS"]).glob("*/*/new/estimates.json"):
    name = json.loads(file.with_name("benchmark.json").read_text())["full_id"]
    medians[name] = json.loads(file.read_text())["median"]
    newest = max(newest, file.stat().st_mtime)

def of(name, database):
    full = f"{name}/{database}"
    if full not in medians:
        sys.exit(f"table.sh: there is no result {full}; run cargo bench -p bosa-auth first")
    return medians[full]

def shown(nanoseconds):
    for unit, size in (("ms", 1e6), ("µs", 1e3), ("ns", 1)):
        if nanoseconds >= size or unit == "ns":
            return f"{nanoseconds / size:.3g} {unit}"

def times(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.0f}"

def row(cells):
    return "| " + " | ".join(cells) + " |"

def head(first, others):
    return [row([first, *others]), row(["---", "---"] + ["---:"] * (len(others) - 1))]

def measured(name, database):
    median = of(name, database)
    interval = median["confidence_interval"]
    low, high = shown(interval["lower_bound"]), shown(interval["upper_bound"])
    return [shown(median["point_estimate"]), f"{low} – {high}"]

date = datetime.datetime.fromtimestamp(newest, datetime.timezone.utc).date()
lines = [BEGIN, "", f"{date}, {os.environ['RUSTC']}, {os.environ['MACHINE']}; "
         f"PostgreSQL {os.environ['POSTGRES']}; SQLite synchronous full.", ""]
lines += head("Operation", ["Database", "Median", "95 % of it"] + [name for name, _ in COLUMNS])
for name, (title, against) in OPERATIONS.items():
    for database, database_title in DATABASES.items():
        cells = [title, database_title, *measured(name, database)]
        for _, baselines in COLUMNS:
            ratios = [times(of(name, database)["point_estimate"]
                            / of(f"baseline/{base}", database)["point_estimate"])
                      for base in baselines if base in against]
            cells.append(ratios[0] if ratios else "")
        lines.append(row(cells))
lines += [""] + head("Baseline", ["Round", "Median", "95 % of it"])
for name, title in BASELINES.items():
    for database, database_title in DATABASES.items():
        lines.append(row([title, database_title, *measured(name, database)]))
lines += ["", END]

document = pathlib.Path(os.environ["DOCUMENT"])
before, found, rest = document.read_text().partition(BEGIN)
after = rest.partition(END)
if not found or not after[1]:
    sys.exit(f"table.sh: {document} has no markers")
document.write_text(before + "\n".join(lines) + after[2])
PYTHON
