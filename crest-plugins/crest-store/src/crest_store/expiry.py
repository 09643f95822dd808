"""Expiry: superseded commits forgotten and the files deleted that only they needed."""

from __future__ import annotations

from dataclasses import dataclass

from crest_core import StoreError
from crest_store import aside, durable
from crest_store import repository as repositories
from crest_store.ledger import Line
from crest_store.writer import Writer


@dataclass(frozen=True)
class Expired:
    """What an expiry took away: commits, files and their bytes."""

    commits: int
    files: int
    bytes: int


def expire(place: repositories.Place, *, keep: int = 3) -> Expired:
    """Forget all but the last `keep` commits of each branch; restarts and history that a run still has stay.

    What is kept is what a reader sees now and the states that a damaged run can go back to. A kill on the way does no
    harm: the next opening finishes or undoes it.
    """
    if keep < 1:
        raise StoreError(f"keep={keep}: expected at least one commit to keep")
    writer = Writer(place, "main", create=False)
    try:
        with repositories.speaking(f"expiry of run {writer.name}"):
            commits, done = _forget(writer, keep), writer.collect()
            files = (
                done.chunks_deleted + done.manifests_deleted + done.snapshots_deleted + done.transaction_logs_deleted
            )
            return Expired(commits, files, done.bytes_deleted)
    finally:
        writer.close()


def _forget(writer: Writer, keep: int) -> int:
    """Let the history of each branch begin with its oldest commit that is kept; return the number forgotten."""
    repository, branches = writer.repository, repositories.branches(writer.repository, writer.folder)
    lines = {branch: list(repository.ancestry(branch=branch)) for branch in branches}
    oldest = min(commits[min(keep, len(commits)) - 1].written_at for commits in lines.values())
    known = {commit.id for commits in lines.values() for commit in commits}
    going = {
        commit.id
        for commits in lines.values()
        for commit in commits
        if commit.written_at < oldest and commit.parent_id is not None
    }
    if not going:
        return 0
    if writer.folder is None or writer.ledger is None:
        return len(repository.expire_snapshots(oldest))
    before = writer.ledger.files
    saved = [name for name in before if name.removeprefix("snapshots/") in known - going]
    aside.save(writer.folder, saved, len(writer.ledger.lines))
    gone = repository.expire_snapshots(oldest)
    sums = durable.persist(writer.folder, saved)
    changed = {name: one for name, one in sums.items() if one != before[name]}
    writer.ledger.append(Line("expired", files=changed, gone=tuple(sorted(gone))))
    aside.restore(writer.folder, writer.ledger)
    return len(gone)
