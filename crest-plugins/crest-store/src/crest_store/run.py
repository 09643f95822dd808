"""Run: what is committed, for readers; nothing is changed, and no writer is waited for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icechunk
import xarray as xr
import zarr

from crest_core import StoreError, Tensors
from crest_store import history, record, restart, soundness
from crest_store import repository as repositories
from crest_store.errors import DamageError
from crest_store.ledger import COPIES, Ledger


@dataclass(frozen=True)
class Run:
    """One committed state of a run: later commits do not change it; `open_run` again to see them."""

    name: str
    branch: str
    snapshot: str
    repository: icechunk.Repository
    folder: Path | None = None  # where it lies, on this machine

    def cycles(self) -> list[int]:
        """Return the cycles that are committed; not all of them have a restart."""
        return [one["cycle"] for one in self._records()]

    def restarts(self) -> list[int]:
        """Return the cycles that a run can go on from."""
        with self._speaking("restarts"):
            return restart.cycles(self.root)

    def streams(self) -> list[str]:
        """Return the names of the history streams, the first one first."""
        with self._speaking("streams"):
            return history.stream_names(self.root)

    def history(self, stream: str | None = None) -> xr.Dataset:
        """Return a stream (the first one by default) as a CF Dataset that is read when needed."""
        with self._speaking("history"):
            found = history.open_stream(self.root, history.first_stream(self.root) if stream is None else stream)
            written = self.repository.lookup_snapshot(self.snapshot).written_at
            return found.assign_attrs(history=f"{written:%Y-%m-%dT%H:%M:%SZ} simulated by CREST")  # as in memory

    def restart(self, cycle: int | None = None) -> tuple[Tensors, dict[str, Any]]:
        """Return the state at the end of a kept cycle (the last by default) and its attributes."""
        with self._speaking("restart"):
            checkpoint, state = restart.read(self.root, restart.newest(self.root) if cycle is None else cycle)
            return state, checkpoint.attributes

    def incomplete(self) -> dict[str, tuple[str, int]]:
        """Return by stream the interval that is not complete at the end of the run: its start, and its steps so far."""
        with self._speaking("restart"):
            found = restart.cycles(self.root)
            return restart.checkpoint(self.root, found[-1]).incomplete if found else {}

    def record(self, cycle: int | None = None) -> dict[str, Any]:
        """Return the record of a cycle (the last by default): its times, hashes, versions and seed."""
        records = {one["cycle"]: one for one in self._records()}
        if not records or cycle not in {None, *records}:
            raise StoreError(f"run {self.name}: cycle {cycle} is not committed; it has {len(records)} cycles")
        return records[max(records) if cycle is None else cycle]

    def branches(self) -> list[str]:
        """Return the names of the branches."""
        with self._speaking("branches"):
            return repositories.branches(self.repository, self.folder)

    @property
    def root(self) -> zarr.Group:
        """The arrays of the run, read-only."""
        return repositories.root_at(self.repository, self.snapshot)

    def _records(self) -> list[dict[str, Any]]:
        with self._speaking("record"):
            return record.read(self.root)

    def _speaking(self, what: str) -> Any:
        return repositories.speaking(f"{what} of run {self.name}")


def open_run(path: repositories.Place, branch: str = "main") -> Run:
    """Return the last committed state of a run; of one with damaged files the last one that is whole, with a warning.

    The files that describe the run are compared with the ledger, the arrays with their checksums when they are read.
    """
    _, folder = repositories.storage_of(path)
    try:
        repository = repositories.open_existing(path)
    except StoreError as error:
        if folder is None or not soundness.reference(folder, "main").exists():
            raise
        file = soundness.reference(folder, "main")
        raise DamageError(f"{error} ({file}); resume the run: the next driver mends it from the ledger") from error
    if folder is None or not _has_ledger(folder):
        with repositories.speaking(f"run {path}: branch {branch}"):
            end = repository.lookup_branch(branch)
            if folder is not None and repository.lookup_snapshot(end).parent_id is not None:
                soundness.tell(
                    f"run {folder} has no ledger ({folder / 'crest'}): that its files hold what was written, and that "
                    f"no cycle is missing, cannot be told; bring it back from a backup"
                )
            return Run(str(path), branch, end, repository, folder)
    return Run(str(path), branch, _sound(repository, folder, branch), repository, folder)


def _has_ledger(folder: Path) -> bool:
    """Return whether a run has something in its ledger; in one that is being made it is written last."""
    for patience in (0.1, 0.0):
        if any((folder / name).is_file() and (folder / name).stat().st_size for name in COPIES):
            return True
        time.sleep(patience)
    return False


def _sound(repository: icechunk.Repository, folder: Path, branch: str) -> str:
    """Return the last snapshot that is whole; a second look tells damage from a writer at work."""
    for patience in (0.1, 0.3, 0.0):
        end = soundness.end_of(folder, branch)  # before the ledger, which is ahead of it
        ledger = Ledger(folder)
        line, damage = soundness.newest_sound(repository, folder, ledger, branch, whole=False, end=end)
        if end not in [one.snapshot for one in ledger.chains[branch]]:
            lost = soundness.unknown_ends(folder, ledger)
            damage["refs"] = lost.get(branch, f"{soundness.reference(folder, branch)} names no commit")
        elif (last := ledger.chains[branch][-1]).parent != end != last.snapshot:  # of an older copy of the run
            reach = f"names the end of cycle {line.cycle}, the ledger knows cycle {last.cycle}"
            damage["refs"] = f"{soundness.reference(folder, branch)} {reach}: the next driver mends it"
        if not damage and not ledger.damage:
            break
        time.sleep(patience)
    for problem in [*ledger.damage, *damage.values()]:
        soundness.tell(f"run {folder} is read at cycle {line.cycle}: {problem}")
    return line.snapshot
