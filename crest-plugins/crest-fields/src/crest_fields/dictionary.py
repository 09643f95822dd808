"""Field dictionary: what the standard names mean, as data in NUOPC's YAML format.

Our own keys beside NUOPC's are explained at the top of data/field_dictionary.yaml.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError, field_validator, model_validator

from crest_fields.errors import DictionaryError, UnitError, near
from crest_fields.units import check_units, conversion, is_convertible


class Entry(BaseModel, frozen=True, extra="forbid"):
    """What one standard name means; "" and None are what the dictionary leaves open.

    >>> Entry(standard_name="runoff_flux", canonical_units="kg m-2 s-1", conserves="water").water
    True
    """

    standard_name: str
    canonical_units: Annotated[str, BeforeValidator(str)] = ""  # YAML has 1 as a number, NUOPC also text as "tbd"
    alias: Annotated[tuple[str, ...], BeforeValidator(lambda names: [names] if isinstance(names, str) else names)] = ()
    description: str = ""
    kind: Literal["", "flux", "state", "amount", "fraction", "parameter"] = ""
    positive: Literal["", "up", "down"] = ""  # direction that the name counts as positive
    bounds: tuple[float, float] | None = None  # in canonical_units
    conserves: Literal["", "water", "energy", "carbon"] = ""
    water: bool = False  # depth and mass may be converted by the density of liquid water
    grid_method: Literal["", "conservative", "bilinear", "nearest"] = ""
    negative_of: str = ""  # the standard name of which this one is the negative
    cf: bool = False  # a name of the CF standard name table

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, row: dict[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in row.items() if value is not None}
        method = {"": "", "state": "bilinear", "parameter": "nearest"}.get(str(given.get("kind", "")), "conservative")
        return {"water": given.get("conserves") == "water", "grid_method": method, **given}

    @field_validator("kind", "bounds", "conserves", "water")
    @classmethod
    def _check(cls, value: Any, info: Any) -> Any:
        if value and "canonical_units" in info.data:
            check_units(info.data["canonical_units"])
        if info.field_name == "bounds" and value and not value[0] < value[1]:
            raise ValueError("expected [low, high]")
        return value

    def joined(self, other: Entry) -> Entry:
        """Return what two entries of one name say; where they contradict each other this one counts, with a warning."""
        ours, theirs = (entry.model_dump(exclude_defaults=True) for entry in (self, other))
        for key in sorted(ours.keys() & theirs.keys() - {"alias", "description", "grid_method"}):
            first, second = ours[key], theirs[key]
            if first != second and not (key == "canonical_units" and _same_units(first, second)):
                warnings.warn(f"entry {self.standard_name}, key {key}: {first!r} counts, not {second!r}", stacklevel=2)
        return self.model_copy(update={**theirs, **ours, "alias": (*self.alias, *other.alias)})


class Dictionary(Mapping[str, Entry]):
    """Entries by standard name or alias; immutable.

    >>> dictionary = default_dictionary()
    >>> dictionary["water_evaporation_flux"].standard_name
    'water_evapotranspiration_flux'
    >>> dictionary.resolve("net_ecosystem_exchange")[1]
    -1
    """

    def __init__(self, entries: Iterable[Entry], source: str = "in memory") -> None:
        self.source = source
        self._entries: dict[str, Entry] = {}
        for entry in entries:
            known = self._entries.get(entry.standard_name)
            self._entries[entry.standard_name] = known.joined(entry) if known else entry
        self._meant: dict[str, set[str]] = {}  # standard names by name and alias; a name is no alias of others
        for name, entry in self._entries.items():
            if not entry.canonical_units:
                raise DictionaryError(f"field dictionary {source}, entry {name}, key canonical_units: missing")
            for alias in entry.alias:
                self._meant.setdefault(alias, set()).add(name)
        self._meant.update({name: {name} for name in self._entries})

    def __getitem__(self, name: str) -> Entry:
        names = sorted(self._meant.get(name, ()))
        if not names:
            raise DictionaryError(f"{name!r} is not in the field dictionary {self.source}{near(name, self._meant)}")
        if len(names) > 1:
            raise DictionaryError(f"{name!r} is an alias of {', '.join(names)}; name one of them")
        return self._entries[names[0]]

    def get(self, name: str, default: Any = None) -> Entry | None:  # type: ignore[override]
        """Return the entry of a standard name or of an alias with one meaning, else the default."""
        return self[name] if name in self else default

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and len(self._meant.get(name, ())) == 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def resolve(self, name: str, positive: str = "") -> tuple[str, int]:
        """Return (the name that carries no sign, +1 or -1); an unknown name stands for itself.

        Values of `name`, counted positive in the direction `positive` ("" is the dictionary's), times the sign are
        values of the returned name.
        """
        entry = self.get(name)
        if entry is None:
            return name, 1
        sign = -1 if positive and entry.positive and positive != entry.positive else 1
        return (entry.negative_of, -sign) if entry.negative_of else (entry.standard_name, sign)


class _SafeUniqueLoader(yaml.SafeLoader):
    """yaml.safe_load, but a key given twice in one mapping is an error, not lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = [key for i, key in enumerate(keys) if key in keys[:i]]
        if twice:
            raise yaml.YAMLError(f"the key {twice[0]!r} is given twice, line {node.start_mark.line + 1}")
        return super().construct_mapping(node, deep)


def load_dictionary(path: str | Path | Traversable) -> Dictionary:
    """Return the dictionary of a YAML file in NUOPC's format, with or without our own keys."""
    file = Path(path) if isinstance(path, str) else path
    try:
        head = _SafeUniqueLoader(file.read_text(encoding="utf-8")).get_single_data()["field_dictionary"]
        rows = [{"cf": "cf_standard_name_table" in head, **row} for row in head["entries"]]
        return Dictionary(TypeAdapter(list[Entry]).validate_python(rows), file.name)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise DictionaryError(f"field dictionary {file} cannot be read as YAML: {error}") from error
    except (LookupError, TypeError) as error:
        raise DictionaryError(f"field dictionary {file} has no list of mappings field_dictionary: entries") from error
    except ValidationError as error:
        fault = error.errors()[0]
        place, *keys = fault["loc"]
        text = f"{fault['msg']}, got {fault['input']!r}"
        if fault["type"] == "extra_forbidden":
            text = f"unknown key; keys are {', '.join(Entry.model_fields)}"
        where = f"field dictionary {file}, entry {int(place) + 1}, key {'.'.join(map(str, keys))}"
        raise DictionaryError(f"{where}: {text}") from error


_load_once = cache(load_dictionary)  # for the file of this package, which does not change


def default_dictionary(extra: Sequence[str | Path | Traversable | Dictionary] = ()) -> Dictionary:
    """Return this package's dictionary and others joined; where they disagree the first counts, with a warning."""
    own = _load_once(Path(__file__).with_name("data") / "field_dictionary.yaml")
    found = [own, *(each if isinstance(each, Dictionary) else load_dictionary(each) for each in extra)]
    return Dictionary([entry for each in found for entry in each.values()], " and ".join(each.source for each in found))


def _same_units(first: str, second: str) -> bool:
    """Return whether units mean the same, or one of them is only text, as NUOPC's "tbd"."""
    try:
        return is_convertible(first, second) and conversion(first, second).is_identity
    except UnitError:
        return True
