"""Repository: the Icechunk side of a run, a local folder or an object store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import icechunk
import zarr

from crest_core import CrestError, StoreError
from crest_store.ending import settle

Place = str | Path | icechunk.Storage
_MARKS = ("refs/branch.main/ref.json", "crest/ledger", "crest/ledger.copy")  # one of them is left of a damaged run


def storage_of(place: Place) -> tuple[icechunk.Storage, Path | None]:
    """Return the storage of a place, and its folder where it is on this machine."""
    if isinstance(place, icechunk.Storage):
        return place, None
    if isinstance(place, str) and "://" in place:
        return _remote(place), None
    try:
        folder = Path(place).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        raise StoreError(f"run {place}: the path cannot be followed ({error}); does a link lead to itself?") from error
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"run {folder} is a file; a run is a folder or an object store URL (s3://, gs://)")
    icechunk.set_logs_filter("error")  # it warns of concurrent commits, which the lock prevents
    return icechunk.local_filesystem_storage(str(folder)), folder


def exists(place: Place) -> bool:
    """Return whether there is a run, damaged or not."""
    storage, folder = storage_of(place)
    if folder is not None:
        return any((folder / name).exists() for name in _MARKS)
    with speaking("looking for the repository"):
        return icechunk.Repository.exists(storage)


def open_existing(place: Place) -> icechunk.Repository:
    """Return the repository of a run; StoreError where there is none."""
    if not exists(place):
        raise StoreError(f"run {place}: there is no run; `crest run` or IcechunkArchive makes one")
    with speaking(f"run {place}: opening"):
        return icechunk.Repository.open(storage_of(place)[0])


def create(storage: icechunk.Storage, name: str) -> icechunk.Repository:
    """Return a new repository."""
    with speaking(f"run {name}: creating"):
        return icechunk.Repository.create(storage)


def create_in(folder: Path) -> None:
    """Make a repository in a folder that holds other files of the run: aside first, then moved in, the branch last.

    A kill on the way leaves a folder without a run, in which the next call makes one.
    """
    aside = folder / "crest" / "new"
    shutil.rmtree(aside, ignore_errors=True)
    create(icechunk.local_filesystem_storage(str(aside)), str(folder))
    files = [path.relative_to(aside) for path in aside.rglob("*") if path.is_file()]
    for file in sorted(files, key=lambda file: (file.parts[0] == "refs", file)):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(aside / file, folder / file)
    shutil.rmtree(aside)


def root_at(repository: icechunk.Repository, snapshot: str) -> zarr.Group:
    """Return the root of a committed snapshot, read-only; an empty one where nothing is committed yet."""
    with speaking(f"snapshot {snapshot}"):
        if repository.lookup_snapshot(snapshot).parent_id is None:
            return zarr.open_group({}, mode="w")
        return zarr.open_group(repository.readonly_session(snapshot_id=snapshot).store, mode="r")


def branches(repository: icechunk.Repository, folder: Path | None) -> list[str]:
    """Return the names of the branches; in a folder, where systems put files of their own, those that have a file."""
    if folder is None:
        return sorted(repository.list_branches())
    files = (folder / "refs").glob("branch.*/ref.json")
    return sorted(file.parent.name.removeprefix("branch.") for file in files)


@contextmanager
def speaking(what: str) -> Iterator[None]:
    """Turn errors of Icechunk, of checksums and of the disk into StoreErrors with one line of reason."""
    try:
        yield
    except CrestError:
        raise
    except icechunk.ConflictError as error:
        raise StoreError(f"{what}: another driver has committed to this run meanwhile; nothing was written") from error
    except (icechunk.IcechunkError, OSError, ValueError, KeyError) as error:
        settle()
        raise StoreError(f"{what} failed: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Return what an error says, in one line; Icechunk adds a page of context."""
    lines = [line.strip(" |x×") for line in str(error).splitlines()]
    first = next((line for line in lines if line), type(error).__name__)
    return first if len(first) < 300 else f"{first[:300]}..."


def _remote(url: str) -> icechunk.Storage:
    """Return the object store of a URL; credentials are those of the environment."""
    parts = urlsplit(url)
    prefix: Any = parts.path.strip("/") or None
    if parts.scheme == "s3":
        return icechunk.s3_storage(bucket=parts.netloc, prefix=prefix, from_env=True)
    if parts.scheme == "gs":
        return icechunk.gcs_storage(bucket=parts.netloc, prefix=prefix, from_env=True)
    raise StoreError(
        f"run {url}: {parts.scheme}:// is not known; expected a folder, s3://bucket/run or gs://bucket/run"
    )
