"""Writes the results of the benchmarks into docs/performance.md, each between its two markers.

    <!-- NAME: begin --> … <!-- NAME: end -->      the table of bench/results/NAME.json

bench/report.sh runs this and draws the plot.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench" / "results"
MARKERS = re.compile(r"(<!-- (?P<name>[a-z_]+): begin -->\n).*?(<!-- (?P=name): end -->)", re.DOTALL)


def number(value):
    """Three significant digits, never in exponential form."""
    if value == 0:
        return "0"
    digits = max(0, 2 - int(f"{value:e}".split("e")[1]))
    return f"{value:,.{digits}f}"


def quantity(row, value):
    if value is None:
        return ""
    return f"{number(value)} {row['unit']}".strip()


def span(row):
    if row.get("low") is None or row.get("high") is None:
        return ""
    return f"{number(row['low'])} – {number(row['high'])}"


def against(row):
    if row.get("ratio") is None:
        return ""
    return f"{row['ratio']:,.2f} × {row['baseline']}" if row["ratio"] < 100 else f"{row['ratio']:,.0f} × {row['baseline']}"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def shown(row):
    """What is always nought is said once, in the text."""
    return not (row["metric"] == "errors" and row["value"] == 0)


def wide(rows, metric):
    """A line for each group and a column for each subject: the metric, and how many times better that is."""
    subjects = list(dict.fromkeys(row["subject"] for row in rows))
    cells = {(row["group"], row["subject"]): quantity(row, row["value"]) for row in rows if row["metric"] == metric}
    for row in rows:
        if row["metric"] == "times":
            cells[row["group"], row["subject"]] += f" ({number(row['value'])} ×)"
    lines = [line(["", *subjects]), line(["---"] + ["---:"] * len(subjects))]
    for group in dict.fromkeys(row["group"] for row in rows):
        lines.append(line([group, *(cells.get((group, subject), "") for subject in subjects)]))
    return lines


def tables(rows, metric=None):
    """One table, or two: a wide one of this metric, and one of the rest."""
    rows = [row for row in rows if shown(row)]
    if metric is None:
        return table(rows)
    broad = [row for row in rows if row["metric"] in (metric, "times")]
    rest = [row for row in rows if row["metric"] not in (metric, "times")]
    return [*wide(broad, metric), *(["", *table(rest)] if rest else [])]


def table(rows):
    one_metric = len({row["metric"] for row in rows}) == 1
    head = ["", "who", "what", "value", "range", "ratio"]
    head = [cell for cell in head if not (one_metric and cell == "what")]
    lines = [line(head), line(["---", "---"] + ([] if one_metric else ["---"]) + ["---:"] * 3)]
    before = None
    for row in rows:
        group = "" if row["group"] == before else row["group"]
        before = row["group"]
        cells = [group, row["subject"], row["metric"], quantity(row, row["value"]), span(row), against(row)]
        if one_metric:
            del cells[2]
        lines.append(line(cells))
    return lines


def section(name):
    path = RESULTS / f"{name}.json"
    if not path.exists():
        sys.exit(f"report.py: there is no {path.relative_to(ROOT)}; run bench/{name} first")
    result = json.loads(path.read_text(encoding="utf-8"))
    machine = result["machine"]
    python = f"CPython {result['python']}, " if "python" in result else ""
    taken = (
        f"{result['date']}, commit {result['commit']}, {result['rustc'].rsplit(' (', 1)[0]}, {python}{machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_mib']:,} MiB, {machine['system']}."
    )
    note = [result["note"], ""] if result.get("note") else []
    return "\n".join(["", taken, "", *note, *tables(result["rows"], result.get("wide")), "", ""])


def main():
    text = DOCUMENT.read_text(encoding="utf-8")
    written, found = MARKERS.subn(lambda match: match[1] + section(match["name"]) + match[3], text)
    if not found:
        sys.exit(f"report.py: {DOCUMENT.relative_to(ROOT)} has no markers")
    DOCUMENT.write_text(written, encoding="utf-8")
    print(f"wrote {DOCUMENT.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
