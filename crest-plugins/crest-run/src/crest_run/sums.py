"""Sums (sha256) of the files that a run file names by path: checked before anything opens them, and recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from crest_run.errors import RunFileError
from crest_run.runfile import RunFile

LARGE = 2**30  # bytes
"""A larger file of forcing is read for its sum only where the run file asks for it: it would be read twice."""


def check_sum(path: Path, expected: str | None) -> None:
    """Raise RunFileError where a file is not the one that the run file means; None means any."""
    if expected is not None and (found := _sum(path)) != expected:
        raise RunFileError(
            f"{path} has the sha256 {found}, expected {expected}; it is damaged or another version: get it again, or "
            f"change the key sha256 if the new content is right"
        )


def sums(run: RunFile) -> dict[str, str]:
    """Return the sha256 of weights and forcing by key, of forcing only up to LARGE or with a key sha256."""
    found = {}
    for name, section in run.graph.components.items():
        if section.weights is not None and section.weights.is_file():
            found[f"graph.components.{name}.weights"] = _sum(section.weights)
    path = run.forcing.path
    if path is not None and path.is_file() and (run.forcing.sha256 or path.stat().st_size <= LARGE):
        found["forcing.path"] = _sum(path)
    return found


def check_recorded(run: RunFile, facts: Mapping[str, Any], *, forcing: bool, advice: str) -> None:
    """Raise RunFileError where weights (and forcing) are not the files that a run was made with, by its record."""
    before, now = json.loads(facts.get("files", "{}")), sums(run)
    paths = {f"graph.components.{name}.weights": part.weights for name, part in run.graph.components.items()}
    if forcing:
        paths["forcing.path"] = run.forcing.path
    for key, path in paths.items():
        if key in before and key in now and before[key] != now[key]:
            raise RunFileError(
                f"{run.where(*key.split('.'))}: {path} has the sha256 {now[key]}, the run was made with {before[key]}; "
                f"it is damaged or another version: {advice}"
            )


def _sum(path: Path) -> str:
    stat = path.stat()
    return _digest(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)  # a run opens its files several times
def _digest(path: Path, *_: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
