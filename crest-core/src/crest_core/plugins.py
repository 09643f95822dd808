"""Plugins: what installed distributions bring, found by entry points and imported on first use.

An entry point of group `crest.plugins` names a light module (`_plugin.py`, which imports nothing
heavy) with the hooks of `crest_core.hookspecs`. Where CREST_PLUGINS=a,b is set, only these entry
points or distributions are read; where it is not, CREST_DISABLE_PLUGIN_AUTOLOAD=1 reads none.
"""

from __future__ import annotations

import importlib
import os
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, distributions
from typing import Any

import pluggy

from crest_core import hookspecs
from crest_core.errors import PluginError
from crest_core.hookspecs import hookimpl, hookspec

__all__ = ["KINDS", "Entry", "PluginWarning", "Registry", "discover", "hookimpl", "hookspec"]
__all__ += ["near", "registry"]

GROUP = "crest.plugins"
API = "1"  # of the hooks; a plugin module may say which one it needs: CREST_API = "1"
KINDS = tuple(n.removeprefix("register_") for n in vars(hookspecs) if n.startswith("register_"))
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_DOTTED = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
_POINT = re.compile(f"{_DOTTED}(:{_DOTTED})?")
_TARGET = re.compile(f"{_DOTTED}:{_DOTTED}")


class PluginWarning(UserWarning):
    """A plugin, or something that it registers, that cannot be used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name, or a broken plugin (kind "plugin"); `error` says why it is of no use."""

    name: str
    kind: str
    summary: str
    distribution: str
    version: str
    target: str
    error: str = ""

    def complaint(self) -> str:
        """Return who is left out, and why."""
        who = f"{self.kind} {self.name!r} of {self.distribution} {self.version}".rstrip()
        return f"{who} is left out: {self.error}"


@dataclass(frozen=True, slots=True)
class Registry:
    """What the plugins register; entries that cannot be used say why.

    >>> Registry((Entry("pi", "metrics", "", "demo", "1.0", "math:pi"),)).load("metrics", "pi")
    3.141592653589793
    """

    entries: tuple[Entry, ...] = ()

    def of_kind(self, kind: str) -> list[Entry]:
        """Return the entries of one kind."""
        if kind not in KINDS:
            raise PluginError(f"kind {kind!r} is unknown{near(kind, KINDS)}; kinds: {', '.join(KINDS)}")
        return [entry for entry in self.entries if entry.kind == kind]

    def find(self, kind: str, name: str) -> Entry:
        """Return the entry of that kind and name."""
        entries = {entry.name: entry for entry in self.of_kind(kind)}
        if name not in entries:
            broken = ", ".join(e.distribution for e in self.entries if e.kind == "plugin")
            raise PluginError(
                f"{kind}: {name!r} is not installed{near(name, entries)}; "
                f"installed: {', '.join(sorted(entries)) or 'none'}"
                + (f"; broken plugins, see `crest list`: {broken}" if broken else "")
            )
        if entries[name].error:
            raise PluginError(f"{kind}: {name!r} cannot be used: {entries[name].error}")
        return entries[name]

    def load(self, kind: str, name: str) -> Any:
        """Return the object of that kind and name; its package is imported on first use."""
        entry = self.find(kind, name)
        module, _, attribute = entry.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{kind}: {name!r} of {entry.distribution} {entry.version} cannot be loaded from "
                f"{entry.target}: {_reason(error)}; install what it lacks, or: {_advice(entry)}"
            ) from error
        return found


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Return what the installed plugins register, found once per process."""
    return discover()


def discover(path: Sequence[str] | None = None) -> Registry:
    """Return what the plugins of a path (default: sys.path) register; warns of what is broken."""
    plugins = list(_plugins(path))
    wanted = _wanted()
    entries = [entry for plugin in plugins if wanted is None or _names(plugin) & wanted for entry in _register(plugin)]
    entries = _mark_duplicates(entries + _missing(wanted or set(), plugins))
    for entry in entries:
        if entry.error:
            warnings.warn(entry.complaint(), PluginWarning, stacklevel=2)
    return Registry(tuple(sorted(entries, key=lambda entry: (entry.kind, entry.name))))


def near(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" where a name resembles others, else ""."""
    close = get_close_matches(name, list(names), n=2)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _plugins(path: Sequence[str] | None) -> Iterator[Entry]:
    """Yield the entry points of the group; of a distribution found twice, those found first."""
    seen = set()
    for found in distributions() if path is None else distributions(path=list(path)):
        name, version = "unknown", "unknown"
        try:
            if GROUP not in (found.read_text("entry_points.txt") or ""):
                continue
            name, version = str(found.metadata["Name"]), str(found.version)
            points = [point for point in found.entry_points if point.group == GROUP]
        except Exception as error:
            plugin = Entry(name, "plugin", "", name, version, "")
            yield _broken(plugin, f"its metadata cannot be read: {_reason(error)}")
            continue
        if _normal(name) not in seen:
            seen.add(_normal(name))
            for point in points:
                yield Entry(point.name, "plugin", "", name, version, point.value)


def _wanted() -> set[str] | None:
    """Return the names in CREST_PLUGINS, None for all plugins."""
    listed = os.environ.get("CREST_PLUGINS")
    if listed is None and os.environ.get("CREST_DISABLE_PLUGIN_AUTOLOAD", "0") in ("", "0"):
        return None
    return {_normal(name) for name in (listed or "").split(",") if name.strip()}


def _missing(wanted: set[str], plugins: Sequence[Entry]) -> list[Entry]:
    installed = set().union(*map(_names, plugins))
    reason = f"CREST_PLUGINS names it; installed: {', '.join(sorted(installed)) or 'none'}"
    absent = sorted(wanted - installed)
    return [Entry(name, "plugin", "", "no distribution", "", "", reason) for name in absent]


def _register(plugin: Entry) -> list[Entry]:
    """Return what one plugin registers, in a manager of its own: its failures stay with it."""
    if plugin.error:
        return [plugin]
    if not _POINT.fullmatch(plugin.target):
        return [_broken(plugin, f"entry point {plugin.target!r} is not package.module")]
    try:
        module = EntryPoint(plugin.name, plugin.target, GROUP).load()
        api = str(getattr(module, "CREST_API", API))
        if api.partition(".")[0] != API:
            return [_broken(plugin, f"it needs plugin interface {api}, this crest-core has {API}")]
        manager = pluggy.PluginManager("crest")
        manager.add_hookspecs(hookspecs)
        manager.register(module, plugin.name)
    except (Exception, SystemExit) as error:
        return [_broken(plugin, _reason(error))]
    nothing = "it registers nothing; decorate its register_<kind> functions with hookimpl"
    return _call_hooks(plugin, manager) or [_broken(plugin, nothing)]


def _call_hooks(plugin: Entry, manager: pluggy.PluginManager) -> list[Entry]:
    entries: list[Entry] = []

    def register(kind: str, name: str, target: str, *, summary: str = "") -> None:
        entry = replace(plugin, kind=kind, name=str(name), target=str(target), summary=str(summary))
        entries.append(replace(entry, error=_fault(name, target)))

    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = ", ".join(f"register_{kind}" for kind in KINDS)
        entries.append(_broken(plugin, f"{error}; hooks: {known}"))
    for kind in KINDS:
        try:
            getattr(manager.hook, f"register_{kind}")(register=partial(register, kind))
        except (Exception, SystemExit) as error:
            entries.append(_broken(plugin, f"register_{kind} raised {_reason(error)}"))
    return entries


def _fault(name: object, target: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"name {name!r} is not [a-z][a-z0-9-]*, such as 'soil-bucket'"
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        return f"target {target!r} is not 'package.module:Object'"
    return ""


def _mark_duplicates(entries: Sequence[Entry]) -> list[Entry]:
    claims: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        claims[entry.kind, entry.name].append(entry)
    return [entry if entry.kind == "plugin" else _claimed(entry, claims[entry.kind, entry.name]) for entry in entries]


def _claimed(entry: Entry, claims: Sequence[Entry]) -> Entry:
    if len(claims) < 2:
        return entry
    owners = list(dict.fromkeys(f"{claim.distribution} {claim.version}" for claim in claims))
    text = f"claimed by {' and by '.join(owners)}" if owners[1:] else f"claimed twice by {owners[0]}"
    return replace(entry, error=f"{text}; keep one: {_advice(entry)}")


def _broken(plugin: Entry, reason: str) -> Entry:
    return replace(plugin, error=f"{reason}; repair it, or: {_advice(plugin)}")


def _advice(entry: Entry) -> str:
    return f"pip uninstall {entry.distribution}, or list the plugins to use in CREST_PLUGINS"


def _names(plugin: Entry) -> set[str]:
    return {_normal(plugin.name), _normal(plugin.distribution)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
