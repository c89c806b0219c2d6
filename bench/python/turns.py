"""Measures in turns, and makes rows for the result out of the rounds."""

import statistics
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Row = dict[str, Any]
One = TypeVar("One")
Value = TypeVar("Value")


def rounds(number: int, who: Mapping[str, One], measure: Callable[[One], Value]) -> dict[str, list[Value]]:
    """Measures each in turn, beginning with another one in each round."""
    names = list(who)
    each: dict[str, list[Value]] = {name: [] for name in names}
    for turn in range(number):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            each[name].append(measure(who[name]))
    return each


def median(group: str, subject: str, metric: str, unit: str, values: list[float], digits: int = 4) -> Row:
    return {
        "group": group, "subject": subject, "metric": metric, "unit": unit,
        "value": round(statistics.median(values), digits), "low": round(min(values), digits), "high": round(max(values), digits),
    }


def times(group: str, subject: str, values: list[float], other: str, others: list[float]) -> Row:
    """How many times as fast the subject is as the other."""
    ratio = statistics.median(others) / statistics.median(values)
    each = [theirs / one for one, theirs in zip(values, others, strict=True)]
    return {
        "group": group, "subject": subject, "metric": "times", "unit": f"of {other}", "value": round(ratio, 4),
        "low": round(min(each), 4), "high": round(max(each), 4), "baseline": other, "ratio": round(ratio, 4),
    }


def calls_within(seconds: float, nanoseconds: Callable[[int], float], most: int) -> int:
    """How many calls take about so long, found by trying more and more of them, which also warms up."""
    calls = 1
    while True:
        taken = nanoseconds(calls)
        fitting = max(1, int(seconds * 1e9 / max(taken, 1)))
        if fitting <= calls * 8 or calls >= most:
            return min(fitting, most)
        calls = min(calls * 8, most)
