"""Whether what goes on in a store is the run that made it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from crest_core import Graph, parameter_hash, parse_time
from crest_run.errors import RunFileError
from crest_run.runfile import RunFile

_MADE_BY = ("graph", "forcing", "calendar", "window", "seed", "dtype", "resume", "accept")
"""Keys of a run file that decide its results; a later end, or other streams, do not change what is there."""
_START = "period.start"
CHANGED = "run_file_changed"
"""Attribute of a run that went on with another run file: the date from which on."""


def changed_since(
    run: RunFile, graph: Graph, facts: Mapping[str, Any], *, begin: Callable[[], Any], refuse: bool
) -> dict[str, str]:
    """Return what the record says of a run that goes on with another run file or other parameters than before.

    Empty where it is the same. `begin` returns the first date that the forcing allows. `refuse` raises RunFileError
    instead: whoever resumes a run does not mean to change it.
    """
    earlier = json.loads(facts.get("run_file", "null"))
    now = json.loads(run.model_dump_json(by_alias=True))
    changed = [key for key in _MADE_BY if earlier and _content(earlier.get(key, now[key])) != _content(now[key])]
    if earlier and _other_start(earlier, now, run.calendar, begin):
        changed.append(_START)
    if not changed and facts.get("parameter_hash", parameter_hash(graph)) != parameter_hash(graph):
        changed = ["weights or parameters"]
    if changed and refuse:
        where = {_START: ("period", "start") if run.period else ("forcing",)}
        place = run.where(*where.get(changed[0], (changed[0] if changed[0] in _MADE_BY else "graph",)))
        raise RunFileError(
            f"{place}: the run was made with other {', '.join(changed)} up to {facts['time']}; --resume goes on with "
            f"the same; --from CYCLE, or --branch NAME beside it, go on with these"
        )
    if changed:
        return {CHANGED: str(facts["time"])}
    return {CHANGED: facts[CHANGED]} if CHANGED in facts else {}


def with_streams(run: RunFile, facts: Mapping[str, Any]) -> RunFile:
    """Return a run that goes on with the streams of the run before it where it names none, so that its record is whole.

    RunFileError where a stream of all outputs would have others than before.
    """
    earlier, store = json.loads(facts.get("run_file", "null")), run.output.store
    if not earlier or store is None:
        return run
    fields, streams = earlier["output"]["fields"], (earlier["output"]["store"] or {}).get("history", {})
    takes_all = not streams or not all(one["fields"] for one in streams.values())
    if takes_all and sorted(fields) != sorted(run.output.fields):
        was, now = (", ".join(one) or "all" for one in (fields, run.output.fields))
        raise RunFileError(
            f"{run.where('output', 'fields')}: the store holds the outputs {was} up to {facts['time']}, and the run "
            f"would keep {now}; give the same, or another path"
        )
    if store.history or not streams:
        return run
    held = store.model_copy(update={"history": type(store).model_validate({**earlier["output"]["store"]}).history})
    return run.model_copy(update={"output": run.output.model_copy(update={"store": held})})


def _other_start(earlier: Mapping[str, Any], now: Mapping[str, Any], calendar: str, begin: Callable[[], Any]) -> bool:
    """Return whether two runs begin apart; one without a period began with its forcing, which may be cut since."""
    named = [parse_time(one["period"]["start"], calendar) for one in (earlier, now) if one.get("period")]
    if len(named) == 1:
        return bool(named[0] > begin())
    return len(set(named)) > 1


def _content(value: Any) -> Any:
    """Return a part of a run file without sums: what a file holds is compared, and may have grown."""
    if isinstance(value, dict):
        return {key: _content(part) for key, part in value.items() if key != "sha256"}
    return value
