"""Writes the tables of docs/reference/standard-names.md from the field dictionary: python docs/standard_names.py.

The headings are the comments of the dictionary's file, which group its entries.
"""

import re
import sys
from pathlib import Path

import crest_fields.dictionary as dictionary

PAGE = Path(__file__).with_name("reference") / "standard-names.md"
SOURCE = Path(dictionary.__file__).with_name("data") / "field_dictionary.yaml"
BEGIN, END = "<!-- dictionary: begin -->\n", "<!-- dictionary: end -->"
HEAD = "| standard name | units | kind | sign | bounds | meaning |\n|---|---|---|---|---|---|"


def tables() -> str:
    """Return the Markdown tables of all entries, a heading before each group."""
    entries = dictionary.default_dictionary()
    parts, rows = [], []
    text = SOURCE.read_text(encoding="utf-8")
    lines = re.findall(r"^    (?:# (.+)|- (?:\{ *)?standard_name: (\w+))", text, flags=re.MULTILINE)
    for heading, name in lines:
        if heading:
            parts.append(rows := [f"## {heading}\n\n{HEAD}"])
        else:
            rows.append(row(entries[name]))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def row(entry: dictionary.Entry) -> str:
    """Return the row of one entry.

    >>> row(dictionary.default_dictionary()["precipitation_flux"])
    '| `precipitation_flux` | <span class="units">kg m-2 s-1</span> | flux | down | 0 to 1 | Rain and snow. |'
    """
    name = f"`{entry.standard_name}`{'' if entry.cf else ' (not CF)'}"
    bounds = f"{entry.bounds[0]:g} to {entry.bounds[1]:g}" if entry.bounds else ""
    meaning = [
        entry.description,
        f"Also `{'`, `'.join(entry.alias)}`." if entry.alias else "",
        f"The negative of `{entry.negative_of}`." if entry.negative_of else "",
    ]
    units = f'<span class="units">{entry.canonical_units}</span>'
    cells = [name, units, entry.kind, entry.positive, bounds, " ".join(filter(None, meaning))]
    return f"| {' | '.join(cells)} |"


def current(text: str) -> str:
    """Return what stands between the two markers."""
    found = re.search(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE.name} has no {BEGIN.strip()} ... {END}")
    return found[1]


def main() -> int:
    """Rewrite the tables of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(BEGIN + current(text), BEGIN + tables()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
