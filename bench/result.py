#!/usr/bin/env python3
"""Writes the raw result of a benchmark, with when, where and of what it was taken.

As a module: `result.write("http", rows)`. As a command, rows as JSON on standard input:

    some-bench | bench/result.py NAME

A row has `group` (what is compared), `subject` (who), `metric` and `unit`, `value`, and where they
exist `low` and `high` (of 95 % of the samples, unless `note` says otherwise), `baseline` (the subject
it is divided by) and `ratio`. The file is `bench/results/NAME.json`; an older one is replaced, its
figures stay in the history of the repository.
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"


def output(*command):
    """The first line that a command prints, or None if there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return (done.stdout or done.stderr).strip().split("\n")[0] or None


def machine():
    model = None
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else None
    except OSError:
        pass
    return {
        "processor": model or platform.processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def header(name):
    changed = output("git", "status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock")
    return {
        "bench": name,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": (output("git", "rev-parse", "--short=12", "HEAD") or "unknown")
        + (" with changes" if changed else ""),
        "load_before": round(os.getloadavg()[0], 2),
        "machine": machine(),
        "rustc": output("rustc", "--version"),
    }


def write(name, rows, **more):
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({**header(name), **more, "rows": rows}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    write(sys.argv[1], json.load(sys.stdin))
