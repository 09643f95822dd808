"""Whether what goes on in a store is the run that made it, and asks for outputs that the graph has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from crest_core.plugins import near
from crest_run.errors import RunFileError
from crest_run.runfile import RunFile

_MADE_BY = ("graph", "forcing", "calendar", "window", "seed", "dtype")
"""Keys of a run file that decide its results; a later end, or other streams, do not change what is there."""
CHANGED = "run_file_changed"
"""Attribute of a run that went on with another run file: the date from which on."""


def changed_since(run: RunFile, facts: Mapping[str, Any], *, refuse: bool) -> dict[str, str]:
    """Return what the record says of a run that goes on with another run file than before; empty where it is the same.

    `refuse` raises RunFileError instead: whoever resumes a run does not mean to change it.
    """
    earlier = json.loads(facts.get("run_file", "null"))
    now = json.loads(run.model_dump_json(by_alias=True))
    changed = [key for key in _MADE_BY if earlier and earlier.get(key) != now[key]]
    if changed and refuse:
        raise RunFileError(
            f"{run.where(changed[0])}: the run was made with other {', '.join(changed)} up to {facts['time']}; "
            f"--resume goes on with the same; --from CYCLE, or --branch NAME beside it, go on with these"
        )
    if changed:
        return {CHANGED: str(facts["time"])}
    return {CHANGED: facts[CHANGED]} if CHANGED in facts else {}


def check_fields(run: RunFile, outputs: Sequence[str]) -> None:
    """Raise RunFileError where a stream of history asks for a field that the run does not keep."""
    kept = run.output.fields or list(outputs)
    store = run.output.store
    for name, stream in (store.history if store else {}).items():
        for field in stream.fields:
            if field not in kept:
                place = run.where("output", "store", "history", name, "fields")
                raise RunFileError(f"{place}: no output {field!r}{near(field, kept)}; outputs: {', '.join(kept)}")
