"""Puts load on one URL and says what came of it; `bench/tools.sh` installs what it runs."""

import json
import math
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
# Not an error: what was under way when the time was over.
AT_THE_END = "aborted due to deadline"
_path = None


def tool():
    """The path of the load generator, which is installed if it is not there."""
    global _path
    if _path is None:
        done = subprocess.run([HERE / "tools.sh"], stdout=subprocess.PIPE, text=True, check=True)
        _path = done.stdout.strip().split("\n")[-1]
    return _path


def run(url, method="GET", headers=None, body=None, rate=None, connections=16, seconds=5, threads=None):
    """Sends requests for some seconds; every answer but a 2xx is an error.

    Without a rate each connection sends one request after the other, as fast as answers come. With a
    rate (requests per second) the times of sending are fixed before, and a latency counts from
    there, however long the request then waits for a free connection.

    Gives `requests` (answered with 2xx), `rate` (of those, per second), `asked` (the rate, if any),
    `p50`, `p99`, `p999` (milliseconds), `errors` and `statuses`.
    """
    command = [tool(), "--no-tui", "--no-color", "--output-format", "json"]
    command += ["-z", f"{seconds}s", "-c", str(connections), "-m", method]
    if rate is not None:
        command += ["-q", repr(float(rate)), "--latency-correction", "-w"]
    if threads is not None:
        command += ["--worker-threads", str(threads)]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    if body is not None:
        command += ["-d", body]
    done = subprocess.run([*command, url], stdout=subprocess.PIPE, text=True, check=True)
    return _read(json.loads(done.stdout), rate)


def _read(answer, rate):
    statuses = {int(status): count for status, count in answer["statusCodeDistribution"].items()}
    good = sum(count for status, count in statuses.items() if 200 <= status < 300)
    failed = sum(n for what, n in answer["errorDistribution"].items() if what != AT_THE_END)
    times = answer["latencyPercentiles"]

    def milliseconds(name):
        value = times.get(name)
        return None if value is None or math.isnan(value) else round(value * 1000, 4)

    return {
        "requests": good,
        "rate": good / answer["summary"]["total"],
        "asked": rate,
        "p50": milliseconds("p50"),
        "p99": milliseconds("p99"),
        "p999": milliseconds("p99.9"),
        "errors": failed + sum(statuses.values()) - good,
        "statuses": statuses,
    }
