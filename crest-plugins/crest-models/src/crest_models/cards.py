"""card: what a model is, what it was trained on and how well it does, as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crest_models.reading import ModelFolder, read_folder
from crest_models.schema import FieldSection, ModelSection


def card(folder: str | Path) -> str:
    """Return the card of a model folder; only `model.yaml` is read."""
    return card_of(read_folder(folder))


def card_of(found: ModelFolder) -> str:
    """Return summary, description, fields, training, skill, licence and citation."""
    keys = found.keys
    seed = "" if keys.training.seed is None else f", seed {keys.training.seed}"
    start, end = keys.training.period
    rows = {
        **_made_of(keys),
        "timestep": keys.timestep,
        "inputs": _fields(keys.inputs),
        "outputs": _fields(keys.outputs),
        "trained on": keys.training.data,
        "period": f"{start} to {end}{seed}",
        "skill": "\n".join(_lines(keys.training.skill)) or "not stated",
        "licence": keys.licence,
        "cite": keys.citation,
        "weights": f"{keys.weights.file}, sha256 {keys.weights.sha256}",
    }
    about = f"\n{keys.description.strip()}\n" if keys.description.strip() else ""
    return f"{keys.name} {keys.version}: {keys.summary}\n{about}\n" + "\n".join(
        f"{title:<12}{_indented(text)}" for title, text in rows.items()
    )


def _made_of(keys: ModelSection) -> dict[str, str]:
    """Return the network, or the component and who brings it."""
    if keys.component is None:
        return {"backend": _with(keys.backend, keys.options)}
    about = keys.component
    return {"component": _with(f"{about.name} of {about.package} {about.version}", about.settings)}


def _with(name: str, values: Mapping[str, Any]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in values.items())])


def _fields(fields: list[FieldSection]) -> str:
    return "\n".join(f"{field.name} [{field.units}] {field.standard_name}".rstrip() for field in fields)


def _lines(tree: dict[str, Any]) -> Iterator[str]:
    """Yield "key: value" of nested mappings, what is inside a mapping further right."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(value))
        else:
            yield f"{name}: {value}"


def _indented(text: str) -> str:
    return text.strip().replace("\n", f"\n{'':<12}")
