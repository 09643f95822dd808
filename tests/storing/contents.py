"""Contents of a store, read past crest-store: every array and attribute of a commit, as bytes that can be compared."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import icechunk
import numpy as np
import zarr

Contents = dict[str, str | bytes]


def repository(folder: Path) -> icechunk.Repository:
    """Open what lies in a folder, by Icechunk alone."""
    icechunk.set_logs_filter("error")  # it warns of concurrent commits
    return icechunk.Repository.open(icechunk.local_filesystem_storage(str(folder)))


def commits(folder: Path, branch: str = "main") -> dict[int, str]:
    """Return the snapshot of each committed cycle that a branch leads to."""
    found = {}
    for one in repository(folder).ancestry(branch=branch):
        if one.metadata.get("cycle"):
            cycle = int(one.metadata["cycle"])
            assert cycle not in found, f"cycle {cycle} is committed twice"
            found[cycle] = one.id
    return dict(sorted(found.items()))


def contents(folder: Path, branch: str = "main", snapshot: str = "") -> Contents:
    """Return all that is committed: attributes of groups and arrays as JSON, values as bytes."""
    opened = repository(folder)
    session = opened.readonly_session(snapshot_id=snapshot or opened.lookup_branch(branch))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # text of fixed length has no agreed specification in Zarr 3 yet
        root = zarr.open_group(session.store, mode="r")
        found: Contents = {"": _json(root.attrs.asdict())}
        for name, member in root.members(max_depth=None):
            found[name] = _json(member.attrs.asdict())
            if isinstance(member, zarr.Array):
                values = np.asarray(member[...])
                found[f"{name} ="] = f"{values.dtype} {values.shape} ".encode() + values.tobytes()
    return found


def every_cycle(folder: Path) -> dict[int, Contents]:
    """Return the contents after each cycle; after none they are empty."""
    return {0: {}} | {cycle: contents(folder, snapshot=one) for cycle, one in commits(folder).items()}


def differing(one: Contents, other: Contents) -> list[str]:
    """Return the names whose contents are not the same, bit for bit."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def check_prefix(folder: Path, straight: Mapping[int, Contents], acknowledged: int) -> int:
    """Return the last committed cycle, which is the one acknowledged or the next, and equals the straight run there."""
    try:
        committed = max(commits(folder), default=0)
    except icechunk.IcechunkError as error:
        assert acknowledged == 0, f"cycle {acknowledged} was acknowledged and cannot be opened: {error}"
        return 0  # killed before the repository was whole
    assert acknowledged <= committed <= acknowledged + 1, f"{committed} committed, {acknowledged} acknowledged"
    if committed and (wrong := differing(contents(folder), straight[committed])):
        raise AssertionError(f"cycle {committed} differs from the straight run in {', '.join(wrong)}")
    return committed


def _json(attributes: Mapping) -> str:
    return json.dumps(attributes, sort_keys=True)
