"""Writer: the one that may write a run; its commits are on the disk and in the ledger before the branch moves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import icechunk
import zarr

from crest_core import StoreError
from crest_store import aside, durable, record, restart, soundness
from crest_store import repository as repositories
from crest_store.errors import DamageError
from crest_store.ledger import Ledger, Line
from crest_store.lock import Lock

_OWN = {*durable.FOLDERS, "config.yaml", "crest", "refs"}


class Writer:
    """A run opened for writing: locked, verified and mended where it lies in a folder of this machine.

    An object store has no lock and no ledger: it keeps and checks objects itself, and refuses the second of two commits
    at a time.
    """

    def __init__(self, place: repositories.Place, branch: str, *, create: bool) -> None:
        self.name, self.branch = str(place), branch
        self._place = place
        storage, self.folder = repositories.storage_of(place)
        if not create and not repositories.exists(place):
            repositories.open_existing(place)  # says that there is none
        self._lock: Lock | None = None
        self._seen: set[str] = set()
        self._made: list[Path] = []  # folders that were not there, innermost first
        self._new = False
        self.ledger: Ledger | None = None
        if self.folder is None:
            found = repositories.exists(place)
            self.repository = repositories.open_existing(place) if found else repositories.create(storage, self.name)
            return
        names = {one.name for one in self.folder.iterdir()} if self.folder.is_dir() else set()
        if others := {name for name in names - _OWN if not durable.HARMLESS.fullmatch(name)}:
            some = ", ".join(sorted(others)[:3])
            raise StoreError(f"folder {self.folder} holds other files ({some}); give a run a folder of its own")
        self._made = [one for one in (self.folder, *self.folder.parents) if not one.exists()]
        try:
            (self.folder / "crest").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"run {self.folder} cannot be made: {error}") from error
        self._lock = Lock(self.folder / "crest" / "lock", str(self.folder))
        try:
            with repositories.speaking(f"run {self.name}: opening"):
                self.ledger = Ledger(self.folder)
                self._begin(self.folder, self.ledger)
                self._recover(self.folder, self.ledger)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process write."""
        if self._lock is not None:
            self._lock.release()

    def discard(self) -> None:
        """Delete a run that was made here and has no commit yet, with the folders that were made for it."""
        if self.folder is None or self.ledger is None or not self._new or len(self.ledger.lines) > 1:
            return
        for name in ("refs", *durable.FOLDERS, "crest"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "config.yaml").unlink(missing_ok=True)
        for folder in self._made:
            with suppress(OSError):  # others have put something there meanwhile
                folder.rmdir()

    def head(self) -> str:
        """Return the last snapshot of the branch."""
        return self.repository.lookup_branch(self.branch)

    def root(self) -> zarr.Group:
        """Return the root as it is committed, read-only."""
        return repositories.root_at(self.repository, self.head())

    def commit(self, session: icechunk.Session, cycle: int, branch: str | None = None) -> str:
        """Commit what a session holds, on this branch or as the first commit of another one; return the snapshot."""
        head, target = self.head(), branch or self.branch
        text = {"cycle": cycle}
        snapshot = session.flush(f"cycle {cycle}", text) if session.has_uncommitted_changes else head
        if self.folder is None or self.ledger is None:
            self._move(target, snapshot, head)
            return snapshot
        now = durable.listing(self.folder)
        files = durable.persist(self.folder, now - self._seen)
        self.ledger.append(Line("commit", target, snapshot, head, cycle, files))
        try:
            self._move(target, snapshot, head)
            path = soundness.reference(self.folder, target)
            durable.sums(path, sync=True)
            durable.sync_folder(path.parent)
        except (icechunk.IcechunkError, OSError):
            self._undo(self.folder, self.ledger, target, snapshot)
            raise
        self._seen = now
        return snapshot

    @contextmanager
    def naming_damage(self, root: zarr.Group, cycle: int) -> Iterator[None]:
        """Name the damaged files where the restart of a cycle cannot be read."""
        try:
            yield
        except (icechunk.IcechunkError, OSError, ValueError, RuntimeError) as error:
            if self.folder is None or self.ledger is None or cycle not in restart.cycles(root):
                raise
            sums, lines = self.ledger.files, [line for line in self.ledger.lines if line.cycle == cycle]
            written = {name: sums[name] for line in lines for name in line.files if name in sums}
            damage = durable.damage(self.folder, written) or {"": repositories.reason(error)}
            why = "; ".join(damage.values())
            raise DamageError(f"the restart of cycle {cycle} is damaged: {why}; take another cycle") from error

    def collect(self) -> icechunk.GCSummary:
        """Delete the files that no commit needs, and write down which are gone."""
        if self.folder is None or self.ledger is None:
            return self.repository.garbage_collect(datetime.now(UTC) - timedelta(hours=1))
        if self.ledger.lines[-1].kind != "collecting":
            self.ledger.append(Line("collecting"))
        later = datetime.now(UTC) + timedelta(minutes=1)  # files of this second, too: nobody else writes
        done = self.repository.garbage_collect(later)
        self._seen = durable.listing(self.folder)
        gone = tuple(sorted(name for name in self.ledger.files if name not in self._seen))
        self.ledger.append(Line("collected", gone=gone))
        return done

    def _move(self, branch: str, snapshot: str, head: str) -> None:
        if branch == self.branch:
            self.repository.reset_branch(branch, snapshot, from_snapshot_id=head)
        else:
            self.repository.create_branch(branch, snapshot)

    def _undo(self, folder: Path, ledger: Ledger, branch: str, snapshot: str) -> None:
        """Let a branch end as it did before a commit that failed, and then say so in the ledger.

        Where that fails, too, the ledger holds the commit and its parent: both ends of the branch agree with it.
        """
        line = ledger.lines[-1]
        if branch == self.branch:
            soundness.mend_reference(folder, branch, line.parent, {snapshot})
        else:
            if os.path.isdir(place := soundness.reference(folder, branch).parent):  # False, too, for a bad name
                shutil.rmtree(place)
            durable.sync_folder(folder / "refs")
        ledger.append(Line("reset", branch, line.parent if branch == self.branch else ""))

    def _begin(self, folder: Path, ledger: Ledger) -> None:
        """Open the repository with references that can be read; begin a ledger for a new one."""
        for problem in ledger.damage:
            soundness.tell(problem)
        if lost := soundness.unknown_ends(folder, ledger) if ledger.lines else {}:
            raise DamageError(
                f"run {self.name}: {'; '.join(lost.values())}; nothing was changed: bring the ledger back from a "
                f"backup, or read with open_run what is verified, and write to another path"
            )
        if ledger.lines:
            ledger.repair()
            for branch, chain in ledger.chains.items():
                before = {chain[-1].parent} | ({""} if len(chain) == 1 else set())
                soundness.mend_reference(folder, branch, chain[-1].snapshot, before)
            aside.restore(folder, ledger)
            durable.sweep(folder)
            self.repository = repositories.open_existing(self._place)
            if ledger.lines[-1].kind == "collecting":
                self.collect()
            self._seen = durable.listing(folder)
            return
        if len(durable.listing(folder)) > 1:  # a new repository has one snapshot
            raise DamageError(
                f"run {self.name} has commits and no ledger ({folder / 'crest'}): nothing of it can be verified, nor "
                f"told whether cycles are missing; bring the ledger back from a backup, or read it with open_run and "
                f"write to another path"
            )
        if not soundness.reference(folder, "main").exists():
            repositories.create_in(folder)
            self._new = True
        self.repository = repositories.open_existing(self._place)
        with repositories.speaking(f"run {self.name}: its beginning"):
            root = self.repository.lookup_branch("main")
            self._seen = durable.listing(folder)
            ledger.append(Line("commit", "main", root, "", 0, durable.persist(folder, self._seen)))

    def _recover(self, folder: Path, ledger: Ledger) -> None:
        """Go back to the newest commit without damage."""
        line, damage = soundness.newest_sound(self.repository, folder, ledger, self.branch, whole=True)
        if damage:
            self._look_again(folder, ledger, damage)
            why = "; ".join(damage.values())
            soundness.tell(f"run {self.name} goes back to cycle {line.cycle}, the last one whole: {why}")
            parents = {one.snapshot for one in ledger.chains[self.branch]}
            ledger.append(Line("reset", self.branch, line.snapshot, gone=tuple(damage)))
            soundness.mend_reference(folder, self.branch, line.snapshot, parents)
        try:
            record.read(repositories.root_at(self.repository, line.snapshot))
        except (DamageError, StoreError, ValueError) as error:
            files = "; ".join(durable.damage(folder, ledger.files).values()) or str(error)
            raise DamageError(
                f"run {self.name}: the record of its cycles is damaged ({files}), so that nothing can go on from it; "
                f"nothing was changed: bring the file back from a backup; `crest store export` writes the history"
            ) from error

    def _look_again(self, folder: Path, ledger: Ledger, damage: Mapping[str, str]) -> None:
        """Raise where a file is whole at a second look: the disk failed for a moment, and no commit is given up."""
        sums = ledger.files
        known = {name: sums[name] for name in damage if name in sums}
        if passing := sorted(known.keys() - durable.damage(folder, known)):
            why = "; ".join(damage[name] for name in passing)
            raise StoreError(
                f"run {self.name}: {why}; at a second look it is whole: nothing was changed, open it again"
            )
