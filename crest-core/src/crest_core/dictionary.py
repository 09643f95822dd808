"""Field dictionary: what the standard names mean, as data in NUOPC's YAML format.

An `Entry` says units, kind, sign and bounds of a name; a `Dictionary` finds entries by name or
alias. Our own keys beside NUOPC's are explained at the top of data/field_dictionary.yaml.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from crest_core.dictionary_entry import Entry as Entry
from crest_core.errors import DictionaryError

_Default = TypeVar("_Default")


class Dictionary(Mapping[str, Entry]):
    """Entries by standard name or alias; immutable.

    >>> dictionary = default_dictionary()
    >>> dictionary["water_evaporation_flux"].standard_name
    'water_evapotranspiration_flux'
    >>> dictionary.resolve("net_ecosystem_exchange")[1]
    -1
    """

    def __init__(self, entries: Iterable[Entry], aliases: Iterable[tuple[str, str]] = (), source: str = "") -> None:
        self.source = source
        self._entries: dict[str, Entry] = {}
        self._aliases: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            known = self._entries.get(entry.standard_name)
            self._entries[entry.standard_name] = known.joined(entry) if known else entry
        for alias, name in aliases:
            names = dict.fromkeys((*self._aliases.get(alias, ()), name))
            self._aliases[alias] = tuple(names)
        for entry in self._entries.values():
            self._check_negative(entry)

    def __getitem__(self, name: str) -> Entry:
        entry = self.get(name)
        if entry is None:
            meanings = self._aliases.get(name, ())
            if len(meanings) > 1:
                raise DictionaryError(f"{name!r} is an alias of {_listed(meanings)}; name one of them")
            near = self.near(name)
            hint = f"; near: {_listed(near)}" if near else ""
            raise DictionaryError(f"{name!r} is not in the field dictionary {self.source}{hint}")
        return entry

    def get(self, name: str, default: _Default = None) -> Entry | _Default:  # type: ignore[assignment]
        """Return the entry of a standard name or of an alias with one meaning, else the default."""
        meanings = self._aliases.get(name, ())
        if name not in self._entries and len(meanings) == 1:
            name = meanings[0]
        return self._entries.get(name, default)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Dictionary {self.source} of {len(self)} fields>"

    def resolve(self, name: str, positive: str = "") -> tuple[str, int]:
        """Return (the name that carries no sign, +1 or -1); an unknown name stands for itself.

        Values of `name` times the sign are values of the returned name. `positive` ("up", "down") is
        the direction that the values count as positive, where it is not the dictionary's.
        """
        entry = self.get(name)
        if entry is None:
            return name, 1
        sign = -1 if positive and entry.positive and positive != entry.positive else 1
        return (entry.negative_of, -sign) if entry.negative_of else (entry.standard_name, sign)

    def near(self, name: str, count: int = 3) -> list[str]:
        """Return the names and aliases most like `name`, best first."""
        return get_close_matches(name, [*self._entries, *self._aliases], n=count, cutoff=0.6)

    def merged(self, other: Dictionary) -> Dictionary:
        """Return both together; DictionaryError where they contradict each other."""
        for alias in self._aliases.keys() & other._aliases.keys():
            if self._aliases[alias] != other._aliases[alias]:
                both = [*self._aliases[alias], *other._aliases[alias]]
                raise DictionaryError(
                    f"alias {alias!r} stands for {_listed(both)}, in {self.source} and {other.source}"
                )
        pairs = [(a, n) for d in (self, other) for a, names in d._aliases.items() for n in names]
        source = " and ".join(dict.fromkeys(part for part in (self.source, other.source) if part))
        return Dictionary([*self._entries.values(), *other._entries.values()], pairs, source)

    def _check_negative(self, entry: Entry) -> None:
        opposite = self._entries.get(entry.negative_of)
        if opposite is None:
            return
        same_sign = bool(entry.positive) and entry.positive == opposite.positive
        if opposite.negative_of or same_sign or not entry.same_units(opposite):
            raise DictionaryError(
                f"entry {entry.standard_name}, key negative_of: {opposite.standard_name} must have "
                f"the same units, the other direction and no negative_of of its own"
            )


def load_dictionary(path: str | Path | Traversable) -> Dictionary:
    """Return the dictionary of a YAML file in NUOPC's format, with or without our own keys."""
    file = Path(path) if isinstance(path, str) else path
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)
    except OSError as error:
        raise DictionaryError(f"field dictionary {file} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise DictionaryError(f"field dictionary {file} is not valid YAML: {error}") from error
    head = document.get("field_dictionary") if isinstance(document, dict) else None
    rows = head.get("entries") if isinstance(head, dict) else None
    if not isinstance(head, dict) or not isinstance(rows, list):
        raise DictionaryError(f"field dictionary {file} has no list 'field_dictionary: entries:'")
    entries: dict[str, Entry] = {}
    aliases: list[tuple[str, str]] = []
    cf = "cf_standard_name_table" in head
    for number, row in enumerate(rows, start=1):
        try:
            names = _aliases_of(row)
            aliases += [(alias, row["standard_name"]) for alias in names]
            if "canonical_units" in row or not names:
                entry = _entry_of(row, cf)
                entries[entry.standard_name] = _first_of(entries, entry, file.name)
        except DictionaryError as error:
            raise DictionaryError(f"field dictionary {file}, entry {number}: {error}") from error
    try:
        return Dictionary(entries.values(), aliases, source=file.name)
    except DictionaryError as error:
        raise DictionaryError(f"field dictionary {file}: {error}") from error


def default_dictionary(extra: Sequence[str | Path | Traversable | Dictionary] = ()) -> Dictionary:
    """Return the dictionary of this package, extended by others (files or dictionaries)."""
    result = _package_dictionary()
    for more in extra:
        result = result.merged(more if isinstance(more, Dictionary) else load_dictionary(more))
    return result


@cache
def _package_dictionary() -> Dictionary:
    return load_dictionary(files("crest_core") / "data" / "field_dictionary.yaml")


def _aliases_of(row: Any) -> list[str]:
    if not isinstance(row, dict) or not isinstance(row.get("standard_name"), str):
        raise DictionaryError(f"expected a mapping with a text standard_name, got {row!r}")
    given = row.get("alias", [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DictionaryError(f"{row['standard_name']}, key alias: {given!r} is not a text or list")
    return names


def _entry_of(row: dict[str, Any], cf: bool) -> Entry:
    types = {field.name: "text" for field in fields(Entry)}
    types |= {"bounds": "list [low, high]", "water": "true or false", "cf": "true or false"}
    values: dict[str, Any] = {"cf": cf}
    for key, value in row.items():
        if key == "canonical_units" and isinstance(value, int | float):
            value = str(value)  # YAML reads 1 as a number
        if key not in (*types, "alias"):
            near = get_close_matches(str(key), types, n=1) or types
            raise DictionaryError(f"{row['standard_name']}: key {key!r} is unknown; near: {_listed(near)}")
        if value is None or key == "alias":
            continue
        if not _is(types[key], value):
            raise DictionaryError(f"{row['standard_name']}, key {key}: {value!r} is no {types[key]}")
        values[key] = value
    if "canonical_units" not in values:
        raise DictionaryError(f"{row['standard_name']}: canonical_units are missing")
    if "bounds" in values:
        values["bounds"] = tuple(float(number) for number in values["bounds"])
    return Entry(**values)


def _is(kind: str, value: Any) -> bool:
    if kind.startswith("list"):
        numbers = value if isinstance(value, list) else []
        return len(numbers) == 2 and all(isinstance(number, int | float) for number in numbers)
    return isinstance(value, str if kind == "text" else bool)


def _first_of(entries: Mapping[str, Entry], entry: Entry, source: str) -> Entry:
    """Return the entry, or the earlier one where a file contradicts itself."""
    first = entries.get(entry.standard_name)
    if first is None:
        return entry
    try:
        return first.joined(entry)
    except DictionaryError as error:
        if first.kind or entry.kind:  # ours, not NUOPC's
            raise
        warnings.warn(f"{source}: {error}; the first one counts, as in NUOPC", stacklevel=3)
        return first


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in dict.fromkeys(names))


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice in one mapping."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise yaml.YAMLError(f"key {key!r} is given twice, line {mark.line + 1}")
        return super().construct_mapping(node, deep=deep)
