"""Writes the tables of skill in docs/ from the records in benchmarks/results/skill: python docs/skill_table.py.

A table stands between <!-- skill: NAMES begin --> and <!-- skill: end -->, NAMES being how names of records begin.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "skill"
MARKED = re.compile(r"(<!-- skill: (?P<names>[a-z0-9 -]+) begin -->\n)(?P<table>.*?)(<!-- skill: end -->)", re.DOTALL)
HEAD = "| model | score | seeds | beside | asked for | published |\n|---|---|---|---|---|---|\n"
LEAST = {"snow-swe": "median NSE >= 0.75", "snow-fraction": "RMSE of the fraction <= 0.12"}

Record = dict[str, Any]


def pages() -> list[Path]:
    """Return the pages that have tables."""
    return [page for page in sorted(ROOT.glob("docs/**/*.md")) if MARKED.search(page.read_text(encoding="utf-8"))]


def current(text: str) -> str:
    """Return a page with its tables as the records have them."""
    return MARKED.sub(lambda found: found[1] + table(found["names"].split()) + found[4], text)


def table(names: Sequence[str]) -> str:
    """Return the table of all records whose names begin so, in the order of the names."""
    grouped: dict[str, list[Record]] = defaultdict(list)
    for path in sorted(RESULTS.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        grouped[record["name"].removeprefix("skill.")].append(record)
    rows = [row(one, held) for name in names for one, held in grouped.items() if one.split(".")[0] == name]
    return HEAD + "".join(rows)


def row(name: str, records: Sequence[Record]) -> str:
    """Return the row of a model: the mean over its seeds and their standard deviation."""
    first = records[0]
    many = len(records) > 1
    values = [one["value"] for one in records] if many else first.get("by_seed", [first["value"]])
    seeds = [seed for one in records for seed in one["seeds"]]
    together = name.endswith(".ensemble")
    spread = f" ± {stdev(values):.3f}" if len(values) > 1 else ""
    unit = "median NSE" if first["unit"] == "1" else first["unit"]
    beside = first.get("baselines") or {"climatology": first["baseline_value"], "the day before": first["persistence"]}
    published = "; ".join(f"{one['median']:g} ({one['name']})" for one in first.get("published", ()))
    cells = (
        f"`{name}`",
        f"{unit} **{mean(values):.3f}**{spread}",
        f"mean of {', '.join(map(str, seeds))}" if together else ", ".join(map(str, seeds)),
        ", ".join(f"{what} {value:.3f}" for what, value in beside.items()),
        first.get("gate") or LEAST.get(name.split(".")[0], ""),
        published,
    )
    return f"| {' | '.join(cells)} |\n"


def main() -> int:
    """Rewrite the tables."""
    for page in pages():
        page.write_text(current(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
