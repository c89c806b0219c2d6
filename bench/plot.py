"""Draws docs/performance.png out of bench/results/; bench/report.sh runs this."""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PLOT = ROOT / "docs" / "performance.png"
OURS, OTHERS, GOAL = "#1f6f8b", "#b9c4c9", "#c8553d"


def rows(name, **wanted):
    """The rows of a result that have these values."""
    result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return [row for row in result["rows"] if all(row.get(key) == value for key, value in wanted.items())]


def bars(axes, named, title, unit, goals=None, log=False):
    """Horizontal bars of (name, value, colour), the first at the top; a goal is a line across its bar."""
    named = list(reversed(named))
    places = range(len(named))
    axes.barh(places, [value for _, value, _ in named], color=[colour for _, _, colour in named])
    axes.set_yticks(places, [name for name, _, _ in named], fontsize=7)
    for place, (name, value, _) in zip(places, named):
        axes.text(value, place, f" {value:,.3g}" if value < 1000 else f" {value:,.0f}", va="center", fontsize=6)
        if goals and name in goals:
            axes.plot([goals[name]] * 2, [place - 0.45, place + 0.45], color=GOAL, linewidth=1.5)
    if log:
        axes.set_xscale("log")
    axes.margins(x=0.18)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(unit, fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def verify(axes):
    ratios = [row for row in rows("verify", metric="time of a call") if row.get("ratio")]
    named = [(f"{row['group']}, {row['subject']}", row["ratio"], OURS) for row in ratios]
    goals = {name: 1.3 if "EdDSA" in name or "ES256" in name else 1.5 for name, _, _ in named}
    bars(axes, named, "In process: time of a verification from memory", "× the bare work (line: goal, less is better)", goals)


def load(axes):
    ratios = [row for row in rows("load", metric="throughput") if row.get("ratio")]
    named = [(row["group"], row["ratio"], OURS) for row in ratios]
    bars(axes, named, "Over HTTP: throughput", "× a bare axum server (line: goal, more is better)",
         {name: 0.85 for name, _, _ in named})


def rivals(axes):
    rates = rows("rivals", metric="throughput")
    named = [
        (f"{row['group']}: {row['subject']}", row["value"], OURS if "bosa-auth" in row["subject"] else OTHERS)
        for row in rates
    ]
    bars(axes, named, "Beside others", "a second (more is better)", log=True)


GROWING = (
    "verify a token (key and token), from memory", "verify a token (key and token), reading", "read an integration",
    "issue a token", "create a user", "revoke a token",
)


def scale(axes):
    for database, line in (("sqlite", "-"), ("postgres", "--")):
        for number, subject in enumerate(GROWING):
            points = []
            for row in rows("scale", metric="p99", subject=subject):
                group, _, users = row["group"].rpartition(", ")
                if group == database:
                    points.append((int(users.split()[0].replace(",", "")), row["value"]))
            axes.plot(*zip(*sorted(points)), line, marker=".", color=f"C{number}", linewidth=1,
                      label=subject if line == "-" else None)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title("p99 of an operation and the number of users (dashed: PostgreSQL)", fontsize=9)
    axes.set_xlabel("users, ten tokens each", fontsize=7)
    axes.set_ylabel("µs", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6, loc="center right", bbox_to_anchor=(-0.14, 0.5))


def nodes(axes):
    # The distribution that users meet: by quantile, one line for each setting.
    quantiles = {"delay p50": 50, "delay p90": 90, "delay p99": 99, "delay max": 100}
    found = {}
    for row in rows("nodes"):
        if row["metric"] in quantiles:
            found.setdefault(f"{row['group']}, {row['subject']}", []).append((quantiles[row["metric"]], row["value"]))
    for name, points in found.items():
        axes.plot(*zip(*sorted(points)), marker=".", linewidth=1, label=name)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_title("Last acceptance on another server after a revocation", fontsize=9)
    axes.set_xlabel("percent of revocations", fontsize=7)
    axes.set_ylabel("ms", fontsize=7)
    axes.tick_params(labelsize=7)
    axes.legend(fontsize=6, loc="center right", bbox_to_anchor=(-0.14, 0.5))


PANELS = [("verify", verify, 3.4), ("load", load, 1.8), ("rivals", rivals, 4.2), ("scale", scale, 3.6), ("nodes", nodes, 3.2)]


def main():
    heights = [height for _, _, height in PANELS]
    figure, places = plt.subplots(len(PANELS), 1, figsize=(8.5, sum(heights)), height_ratios=heights)
    for (name, draw, _), axes in zip(PANELS, places):
        if not (RESULTS / f"{name}.json").exists():
            sys.exit(f"plot.py: there is no bench/results/{name}.json; run bench/{name}.sh first")
        draw(axes)
    # The left is for names and legends.
    figure.subplots_adjust(left=0.46, right=0.97, top=0.98, bottom=0.03, hspace=0.32)
    figure.savefig(PLOT, dpi=110, metadata={"Software": None})
    print(f"wrote {PLOT.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
