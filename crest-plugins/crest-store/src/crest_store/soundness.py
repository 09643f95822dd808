"""Soundness: the newest commit of a branch whose files are as they were written."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import icechunk

from crest_core import StoreError, write_atomically
from crest_store import durable
from crest_store import repository as repositories
from crest_store.durable import Sums
from crest_store.errors import DamageError, DamageWarning
from crest_store.ledger import Ledger, Line, up_to


def newest_sound(
    repository: icechunk.Repository, folder: Path, ledger: Ledger, branch: str, *, whole: bool, end: str = ""
) -> tuple[Line, dict[str, str]]:
    """Return the newest commit without damage, and the damage of those after it by file.

    `whole` looks at all files that a commit wrote, its restart among them; else at what a reader needs to begin. `end`
    is a snapshot to begin with, where it is one of the branch.
    """
    found: dict[str, str] = {}
    chain, sums = ledger.chains.get(branch, []), ledger.files
    chain = up_to(chain, end) or chain
    for line in reversed(chain):
        if line.cycle == 0 and len(chain) > 1:
            break
        damaged = damage_of(repository, folder, line, sums, whole=whole)
        if not damaged:
            return line, found
        found |= damaged
    if not chain:
        known = ", ".join(sorted(ledger.chains)) or "none"
        raise StoreError(f"run {folder}: branch {branch!r} does not exist; branches: {known}")
    raise DamageError(f"run {folder}: no cycle of branch {branch} is whole: {'; '.join(found.values())}; take a backup")


def damage_of(repository: icechunk.Repository, folder: Path, line: Line, sums: Sums, *, whole: bool) -> dict[str, str]:
    """Return by file what is wrong with those of one commit."""
    snapshot = f"snapshots/{line.snapshot}"
    own = {name: sums[name] for name in line.files if name in sums} if whole else {}
    damaged = durable.damage(folder, own | {snapshot: sums[snapshot]})
    if damaged:
        return damaged
    with repositories.speaking(f"{folder / snapshot}"):
        needed = [f"manifests/{one.id}" for one in repository.lookup_snapshot(line.snapshot).manifests]
    unknown = {name: f"{folder / name} is not in the ledger" for name in needed if name not in sums}
    return unknown | durable.damage(folder, {name: sums[name] for name in needed if name in sums and name not in own})


def end_of(folder: Path, branch: str) -> str:
    """Return the snapshot that a branch points to; "" where that cannot be read."""
    try:
        return str(json.loads(reference(folder, branch).read_bytes())["snapshot"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def unknown_ends(folder: Path, ledger: Ledger) -> dict[str, str]:
    """Return by branch what to say of an end that is there and not in the ledger, which then lost lines in both copies.

    The ledger is written before a branch moves: such an end was acknowledged. Where the branch is lost as well, or goes
    back as far as the ledger, nothing in the repository tells that there was more.
    """
    known, found = {line.snapshot for line in ledger.lines}, {}
    for file in sorted((folder / "refs").glob("branch.*/ref.json")):
        branch = file.parent.name.removeprefix("branch.")
        end, chain = end_of(folder, branch), ledger.chains.get(branch, [])
        if end and (not chain or end not in known) and (folder / "snapshots" / end).is_file():
            reach = f"ends with cycle {chain[-1].cycle}" if chain else "does not know"
            found[branch] = (
                f"{file} names snapshot {end}, which was acknowledged; the ledger {reach} of branch {branch}: both "
                f"copies in {folder / 'crest'} have lost lines, and what came after them cannot be verified"
            )
    return found


def mend_reference(folder: Path, branch: str, snapshot: str, parents: set[str]) -> None:
    """Let a branch point to a snapshot; warn where it was neither there nor at one of its `parents` ("": nowhere)."""
    path, text = reference(folder, branch), _reference_text(snapshot)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = _reference_text("")
    except OSError:
        content = b""
    if content == text:
        return
    if content not in map(_reference_text, parents):
        tell(f"{path} does not name the last commit of branch {branch}; it is written anew from the ledger")
    write_atomically(path, text)


def reference(folder: Path, branch: str) -> Path:
    """Return the file that says where a branch ends."""
    return folder / "refs" / f"branch.{branch}" / "ref.json"


def _reference_text(snapshot: str) -> bytes:
    """Return what Icechunk writes into the file of a branch."""
    return json.dumps({"snapshot": snapshot}, separators=(",", ":")).encode()


def tell(text: str) -> None:
    """Warn of damage."""
    warnings.warn(text, DamageWarning, stacklevel=3)
