"""Writes bench/results/scale.json out of the rows of the benchmark, and prints how they grow.

A row of the result is compared with the same one of the smallest size: `ratio` is the growth. What
the two baselines grow is what the machine drifted, or waited for its disk, between the sizes.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import result  # noqa: E402

NOTE = (
    "Calls one after the other on random rows; everything fits in the memory of the machine and was "
    "just written or read. low and high are the smallest and largest of the rounds. A ratio is to the "
    "smallest size. Users: half of one client's, the rest spread over one client for each thousand "
    "(10 to 1000). PostgreSQL with fsync, synchronous_commit and full_page_writes on, shared_buffers "
    "64 MB, in the same machine; SQLite synchronous full. Times in process through the library; the "
    "server is the release binary, its memory VmRSS. doctor opens every sealed credential and so grows "
    "with them; at 1,000 users there are too few tokens to fill the memory of verified ones."
)


def size(users):
    return f"{users:,} users"


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.startswith("{")]


def compared(rows):
    smallest = min(row["users"] for row in rows)
    first = {
        (row["group"], row["subject"], row["metric"]): row["value"]
        for row in rows
        if row["users"] == smallest
    }
    for row in rows:
        users = row.pop("users")
        base = first.get((row["group"], row["subject"], row["metric"]))
        row = {**row, "group": f"{row['group']}, {size(users)}"}
        if users != smallest and base:
            row["baseline"] = size(smallest)
            row["ratio"] = round(row["value"] / base, 2)
        yield row


def table(rows):
    """What grew, for people."""
    sizes = sorted({row["users"] for row in rows})
    for group in dict.fromkeys(row["group"] for row in rows):
        print(f"\n{group:54}" + "".join(f"{size(users):>18}" for users in sizes) + "   growth")
        named = dict.fromkeys(
            (row["subject"], row["metric"], row["unit"]) for row in rows if row["group"] == group
        )
        for subject, metric, unit in named:
            values = [
                row["value"]
                for users in sizes
                for row in rows
                if (row["group"], row["users"]) == (group, users)
                and (row["subject"], row["metric"]) == (subject, metric)
            ]
            label = subject if metric == "once" else f"{subject}, {metric}"
            growth = values[-1] / values[0] if values[0] else float("nan")
            print(f"{label:54.54}" + "".join(f"{v:>15,.1f} {unit:2.2}" for v in values), f"{growth:7.2f}")


if __name__ == "__main__":
    taken = read(sys.argv[1])
    table(taken)
    result.write("scale", list(compared(taken)), note=NOTE)
