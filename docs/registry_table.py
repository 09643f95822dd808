"""Writes the table "What exists" of README.md from the registry: python docs/registry_table.py.

The rows are those of `crest list --json` that come from packages of this workspace.
"""

import re
import sys
import tomllib
from pathlib import Path

from crest_core.plugins import registry

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- registry: begin -->\n", "<!-- registry: end -->"
KINDS = ("components", "backends", "data_sources", "metrics")
"""Kinds that come first, in this order; others follow."""


def table() -> str:
    """Return the Markdown table of everything that this workspace's plugins register."""
    folders = {}
    for file in ROOT.glob("*-plugins/*/pyproject.toml"):
        name = tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"]
        folders[name] = file.parent.relative_to(ROOT).as_posix()
    added = "crest_models.added:"  # models that whoever runs this has added to their own machine
    rows = [one for one in registry().entries if one.distribution in folders and not one.target.startswith(added)]
    rows.sort(key=lambda row: (KINDS.index(row.kind) if row.kind in KINDS else len(KINDS), row.kind, row.name))
    lines = ["| name | kind | what it is | package |", "|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.kind.replace('_', ' ')} | {row.summary} | "
        f"[{row.distribution}]({folders[row.distribution]}/README.md) |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def current(text: str) -> str:
    """Return what stands between the two markers."""
    found = re.search(f"{re.escape(BEGIN)}(.*?){re.escape(END)}", text, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{README.name} has no {BEGIN.strip()} ... {END}")
    return found[1]


def main() -> int:
    """Rewrite the table in README.md."""
    text = README.read_text(encoding="utf-8")
    README.write_text(text.replace(BEGIN + current(text), BEGIN + table()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
