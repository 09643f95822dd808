"""Plugins: what installed distributions bring, found by entry points and imported on first use.

An entry point of group `crest.plugins` names a light module (`_plugin.py`, which imports nothing heavy) with the
hooks of `crest_core.hookspecs`. Where CREST_PLUGINS=a,b is set, only these entry points or distributions are read;
CREST_DISABLE_PLUGIN_AUTOLOAD=1 reads none but these. Switches are off where they are unset, empty, 0, false, no or off.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from hashlib import sha256
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, distributions
from itertools import accumulate
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pluggy

from crest_core.errors import PluginError
from crest_core.hookspecs import CREST_API, KINDS, hookimpl
from crest_fields.errors import near

__all__ = ["CREST_API", "KINDS", "Entry", "PluginWarning", "Registry", "discover", "hookimpl", "near", "registry"]

GROUP = "crest.plugins"
_VALID = re.compile(r"[a-z][a-z0-9-]* ([^\W\d]\w*\.)*[^\W\d]\w*:([^\W\d]\w*\.)*[^\W\d]\w*")
_HOOKS = type(
    "Hooks", (), {f"register_{kind}": pluggy.HookspecMarker("crest")(lambda self, register: None) for kind in KINDS}
)


class PluginWarning(UserWarning):
    """A plugin, or something that it registers, that cannot be used."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered name, or a broken plugin (kind "plugin"); `error` says why it is of no use."""

    name: str
    kind: str
    summary: str = ""
    distribution: str = ""
    version: str = ""
    target: str = ""
    error: str = ""
    module: str = ""  # of the plugin that registers it

    def broken(self, reason: str) -> Entry:
        """Return the entry with an error that says who is left out, why, and what to do."""
        who = f"{self.kind} {self.name!r} of {self.distribution} {self.version}"
        advice = f"repair it, or: pip uninstall {self.distribution}, or list the plugins to use in CREST_PLUGINS"
        return replace(self, error=_plain(f"{who} is left out: {reason}; {advice}"))

    @property
    def source(self) -> str:
        """File of the plugin's module, found without importing its package; "" if unknown."""
        spec, folders = None, None
        for name in accumulate(self.module.partition(":")[0].split("."), "{}.{}".format):
            spec = getattr(sys.modules.get(name), "__spec__", None) or PathFinder.find_spec(name, folders)
            folders = spec.submodule_search_locations or [] if spec else []
        return str(spec.origin) if spec and spec.has_location else ""

    @property
    def sha256(self) -> str:
        """Hash of the file `source`; "" if it cannot be read."""
        try:
            return sha256(Path(self.source).read_bytes()).hexdigest()
        except OSError:
            return ""


@dataclass(frozen=True, slots=True)
class Registry:
    """What the plugins register, and which of them are broken.

    >>> Registry((Entry("pi", "metrics", "", "demo", "1.0", "math:pi"),)).load("metrics", "pi")
    3.141592653589793
    """

    entries: tuple[Entry, ...] = ()

    def of_kind(self, kind: str) -> list[Entry]:
        """Return the entries of one kind."""
        if kind not in KINDS:
            raise PluginError(f"kind {kind!r} is unknown{near(kind, KINDS)}; kinds: {', '.join(KINDS)}")
        return [entry for entry in self.entries if entry.kind == kind]

    def load(self, kind: str, name: str) -> Any:
        """Return the object of that kind and name; its package is imported on first use."""
        entries = {entry.name: entry for entry in self.of_kind(kind)}
        if name not in entries:
            known = f"installed: {', '.join(sorted(entries)) or 'none'}; `crest list` shows also what is broken"
            raise PluginError(f"{kind}: {name!r} is not installed{near(name, entries)}; {known}")
        entry = entries[name]
        if entry.error:
            raise PluginError(entry.error)
        try:
            with redirect_stdout(sys.stderr):  # standard output belongs to `crest list --json`
                return resolve_name(entry.target)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginError(entry.broken(f"{entry.target} gives {told(error)}").error) from error


@lru_cache(maxsize=1)
def registry() -> Registry:
    """Return what the installed plugins register, found once per process."""
    return discover()


def discover(path: Sequence[str] | None = None) -> Registry:
    """Return what the plugins of a path (default: sys.path) register; warns of what is broken."""
    plugins = _plugins(sys.path if path is None else path)
    entries = [entry for plugin in plugins for entry in ([plugin] if plugin.error else _register(plugin))]
    owners = defaultdict(list)
    for entry in entries:
        owners[entry.kind, entry.name].append(f"{entry.distribution} {entry.version}")
    for place, entry in enumerate(entries):
        claims = owners[entry.kind, entry.name]
        if len(claims) > 1 and entry.kind != "plugin":
            entries[place] = entry.broken(f"its name is claimed by {' and by '.join(claims)}; keep one")
        if entries[place].error:
            warnings.warn(entries[place].error, PluginWarning, stacklevel=2)
    return Registry(tuple(sorted(entries, key=lambda entry: (entry.kind, entry.name))))


def switched_on(variable: str) -> bool:
    """Return whether an environment variable is set, and not to 0, false, no or off."""
    return os.environ.get(variable, "").strip().lower() not in ("", "0", "false", "no", "off")


def told(error: BaseException) -> str:
    """Return the repr of an error of other people's code, whose own `__repr__` may fail: then its class."""
    try:
        return repr(error)
    except BaseException:
        return f"{type(error).__name__}, whose repr fails"


def _plugins(path: Sequence[str]) -> Iterable[Entry]:
    """Return the plugins to read, of a distribution found twice the first, and what CREST_PLUGINS names in vain."""
    found: dict[str, list[Entry]] = {}
    for one in distributions(path=list(path)):
        if entries := _plugins_of(one):
            found.setdefault(_normal(entries[0].distribution), entries)
    plugins = [plugin for entries in found.values() for plugin in entries]
    listed = os.environ.get("CREST_PLUGINS", "" if switched_on("CREST_DISABLE_PLUGIN_AUTOLOAD") else None)
    if listed is None:
        return plugins
    wanted = {_normal(name) for name in listed.split(",") if name.strip()}
    names = {plugin: {_normal(plugin.name), _normal(plugin.distribution)} for plugin in plugins}
    missing = sorted(wanted.difference(*names.values()))
    absent = [Entry(name, "plugin", error=f"CREST_PLUGINS names {name!r}, which is not installed") for name in missing]
    return [plugin for plugin in plugins if names[plugin] & wanted] + absent


def _plugins_of(one: Distribution) -> list[Entry]:
    """Return the plugins of a distribution; a broken one, called as its folder, where its metadata are damaged."""
    try:
        points = one.entry_points.select(group=GROUP)
        if not points:  # name and version take longer to read
            return []
        if "Name" not in one.metadata:  # `name` is None, or raises where importlib_metadata is loaded
            raise PluginError("METADATA has no Name")
        name, version = _plain(one.name), _plain(one.version or "")
        return [Entry(_plain(p.name), "plugin", "", name, version, p.value, module=p.value) for p in points]
    except Exception as error:  # files on disk may hold anything
        folder = Path(str(getattr(one, "_path", one.locate_file(""))))
        name = _plain(folder.stem.partition("-")[0])
        return [Entry(name, "plugin", "", name).broken(f"the metadata in {folder} cannot be read: {told(error)}")]


def _register(plugin: Entry) -> list[Entry]:
    """Return what one plugin registers, in a manager of its own: its failures stay with it."""
    entries: list[Entry] = []

    def register(kind: str, name: str, target: str, *, summary: str = "") -> None:
        entry = replace(plugin, kind=kind, name=_plain(str(name)), target=str(target), summary=_plain(str(summary)))
        expected = "expected a name [a-z][a-z0-9-]*, such as 'soil-bucket', and a target 'package.module:Object'"
        valid = _VALID.fullmatch(f"{name} {target}")
        entries.append(entry if valid else entry.broken(f"{name!r}, {target!r}: {expected}"))

    manager = pluggy.PluginManager("crest")
    manager.add_hookspecs(_HOOKS)
    try:
        with redirect_stdout(sys.stderr), warnings.catch_warnings():  # a plugin's filters would turn our warnings too
            module = resolve_name(plugin.target if ":" in plugin.target else f"{plugin.target}:")
            api = str(getattr(module, "CREST_API", CREST_API))
            if api.partition(".")[0] != CREST_API.partition(".")[0]:
                advice = f"take releases that fit each other: pip install -U crest-core {plugin.distribution}"
                return [plugin.broken(f"it wants CREST_API {api!r}, and this crest-core has {CREST_API!r}; {advice}")]
            manager.register(module)
            for kind in KINDS:
                getattr(manager.hook, f"register_{kind}")(register=partial(register, kind))
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        entries.append(plugin.broken(f"{error}; kinds: {', '.join(KINDS)}"))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        entries.append(plugin.broken(told(error)))
    return entries or [plugin.broken("it registers nothing; decorate its register_<kind> functions with hookimpl")]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _plain(text: str) -> str:
    """Return a text with the control characters escaped that could clear or recolour a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
