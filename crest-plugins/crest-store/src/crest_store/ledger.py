"""Ledger: what has been acknowledged, a line a commit with the sums of its new files, appended and synchronised.

Each line ends with its own sha256, and there are two copies: a damaged line is seen, and read from the other copy. A
line is written before the branch is moved: a branch never points to what the ledger does not know.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from crest_core import StoreError, write_atomically
from crest_store.durable import Sums, is_data
from crest_store.errors import DamageError

COPIES = ("crest/ledger", "crest/ledger.copy")
_KINDS = {
    "number": int,
    "kind": str,
    "branch": str,
    "snapshot": str,
    "parent": str,
    "cycle": int,
    "files": dict,
    "gone": list,
}
_FILE = -1  # place of a problem of the whole file
_OTHER = "of another version of crest-store"


@dataclass(frozen=True)
class Line:
    """What happened: "commit", "reset" of a branch, "expired" commits, "collecting" or "collected" files."""

    kind: str
    branch: str = "main"
    snapshot: str = ""
    parent: str = ""
    cycle: int = 0
    files: Sums = field(default_factory=dict)  # new, or with other content
    gone: tuple[str, ...] = ()  # expired: snapshots; reset, collected: files that nobody needs


class Ledger:
    """The lines so far, read from both copies; `damage` names what was wrong with one of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[Line] = []
        self._chains: dict[str, list[Line]] | None = None  # of these lines, once asked for
        self._torn = False
        self.damage: list[str] = []
        self._read()

    def append(self, line: Line) -> None:
        """Add a line to both copies and bring it to the disk; after an error both are as they were."""
        if self._torn:
            self.repair()
        text, paths = _to_text(len(self.lines), line), [self.folder / name for name in COPIES]
        sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
        try:
            for path in paths:
                with open(path, "ab") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            self._torn = not all([_shortened(one, size) for one, size in zip(paths, sizes, strict=True)])
            raise StoreError(f"{path} cannot be written: {error}") from error
        self.lines.append(line)
        self._chains = None

    def repair(self) -> None:
        """Write both copies anew where they differ: after damage, or a kill while a line was written."""
        text = b"".join(_to_text(number, line) for number, line in enumerate(self.lines))
        for name in COPIES:
            path = self.folder / name
            if not path.exists() or path.read_bytes() != text:
                write_atomically(path, text)
        self._torn = False

    @property
    def files(self) -> Sums:
        """Sums of all files that should be there."""
        found: Sums = {}
        for line in self.lines:
            found.update({name: sums for name, sums in line.files.items() if is_data(name)})
            if line.kind in ("collected", "reset"):
                for name in line.gone:
                    found.pop(name, None)
        return found

    @property
    def chains(self) -> dict[str, list[Line]]:
        """By branch, the commits that lead to its end, oldest first."""
        if self._chains is None:
            self._chains = _chains(self.lines)
        return self._chains

    def _read(self) -> None:
        copies = [_parsed(self.folder / name) for name in COPIES]
        length = max((number + 1 for lines, _ in copies for number in lines), default=0)
        common = set.intersection(*(problems.keys() - {_FILE} for _, problems in copies))
        for number in range(max([length, *(place + 1 for place in common)])):
            found = [lines[number] for lines, _ in copies if number in lines]
            if not found:
                raise DamageError(_lost(self.folder, number, [problems.get(number, "") for _, problems in copies]))
            self.lines.append(found[0])
        whole = any(len(lines) == length and not problems for lines, problems in copies)
        rest = "the other copy is whole" if whole else "what it lacks is in the other copy"
        for name, (lines, problems) in zip(COPIES, copies, strict=True):
            lost = length - len(lines)
            if lost or (problems and length):
                said = "; ".join(f"has {problems[place]}" if place >= 0 else problems[place] for place in problems)
                self.damage.append(f"{self.folder / name} {said or f'lacks {lost} lines'}; {rest}")
        self._torn = not length and any((self.folder / name).exists() for name in COPIES)  # killed in the first line


def _shortened(path: Path, size: int) -> bool:
    """Take off what was written past a size; return whether that could be done."""
    try:
        if path.exists():
            os.truncate(path, size)
    except OSError:
        return False
    return True


def up_to(chain: list[Line], snapshot: str) -> list[Line]:
    """Return a chain of commits up to a snapshot; nothing where it is none of them."""
    places = [place for place, line in enumerate(chain) if line.snapshot == snapshot]
    return chain[: places[0] + 1] if places else []


def _chains(lines: list[Line]) -> dict[str, list[Line]]:
    """Return by branch the commits that lead to its end; each step looks at the end of a chain only."""
    chains: dict[str, list[Line]] = {}
    for line in lines:
        chain = chains.setdefault(line.branch, [])
        if line.kind == "commit":
            _go_back(chain, line.parent)
            chain.append(line)
        elif line.kind == "reset":
            _go_back(chain, line.snapshot)
        elif line.kind == "expired":
            gone = set(line.gone)
            for branch, commits in chains.items():
                chains[branch] = [commit for commit in commits if commit.snapshot not in gone]
    return {branch: chain for branch, chain in chains.items() if chain}  # none where the first commit failed


def _go_back(chain: list[Line], snapshot: str) -> None:
    """Take off what came after a snapshot; all, where it is none of the chain."""
    while chain and chain[-1].snapshot != snapshot:
        chain.pop()


def _to_text(number: int, line: Line) -> bytes:
    text = json.dumps({"number": number, **asdict(line)}, sort_keys=True).encode()
    return text + b" " + sha256(text).hexdigest().encode() + b"\n"


def _parsed(path: Path) -> tuple[dict[int, Line], dict[int, str]]:
    """Return the lines of one copy that are whole, by number, and what is wrong with others, or with the file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}, {_FILE: "is missing"}
    except OSError as error:
        return {}, {_FILE: f"cannot be read: {error}"}
    lines: dict[int, Line] = {}
    problems = {} if content else {_FILE: "is empty"}
    *whole, _ = content.split(b"\n")
    for place, row in enumerate(whole):
        text, _, digest = row.rpartition(b" ")
        if sha256(text).hexdigest().encode() != digest:
            problems[place] = f"a damaged line {place + 1}"
            continue
        values = json.loads(text)
        if strange := _strange(values):
            problems[place] = f"a line {place + 1} {_OTHER} ({strange})"
            continue
        sums = {name: (one[0], one[1]) for name, one in values.pop("files").items()}
        number = values.pop("number")
        lines[number] = Line(files=sums, gone=tuple(values.pop("gone")), **values)
    return lines, problems


def _strange(values: Any) -> str:
    """Return why the values of a line, whole by its sum, are none that this version writes; "" where they are."""
    if not isinstance(values, dict):
        return "no JSON object"
    found = [f"unknown: {key}" for key in sorted(values.keys() - _KINDS.keys())]
    found += [f"missing: {key}" for key in sorted(_KINDS.keys() - values.keys())]
    found += [f"not understood: {key}" for key, kind in _KINDS.items() if type(values.get(key, kind())) is not kind]
    return ", ".join(found)


def _lost(folder: Path, number: int, problems: list[str]) -> str:
    """Return what to say of a line that neither copy holds."""
    paths = " and ".join(str(folder / name) for name in COPIES)
    if all(_OTHER in problem for problem in problems):
        return f"{paths} have {problems[0]}; open the run with the version of crest-store that wrote it, or a later one"
    return (
        f"line {number + 1} of {paths} is damaged in both: what was written since cannot be verified; "
        f"bring one of them back from a backup"
    )
