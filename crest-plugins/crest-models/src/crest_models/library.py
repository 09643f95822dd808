"""add_model and remove_model: the user's models, whole or absent at any moment."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from crest_core import registry, write_atomically
from crest_core.plugins import Entry, near
from crest_models.errors import ModelError
from crest_models.loading import build_component
from crest_models.reading import MODEL_FILE, ModelFolder, read_folder
from crest_models.schema import NAME
from crest_models.shelf import Added, added_models, entry_file, models_directory, read_entry

ADDED = "crest_models.added:"  # how targets of added models begin


def add_model(folder: str | Path, *, name: str | None = None, force: bool = False) -> str:
    """Copy a model folder, checked and built once, into the user's model directory; return its name there.

    `force` replaces a model that was added under that name; a component that a package registers is never replaced.
    """
    found = read_folder(folder)
    name = found.keys.name if name is None else name
    if not re.fullmatch(NAME, name):
        raise ModelError(f"name {name!r}: expected [a-z][a-z0-9-]*, such as 'river-lstm'")
    _check_free(found, name, force)
    build_component(found)
    before = read_entry(name).folder if entry_file(name).exists() else ""
    inside = _copy(found, name)
    entry = Added(name, found.keys.summary, found.keys.version, inside, found.sha256)
    write_atomically(entry_file(name), entry.as_json())
    if before not in ("", inside):
        shutil.rmtree(models_directory() / before, ignore_errors=True)
    registry.cache_clear()
    return name


def remove_model(name: str) -> None:
    """Take an added model away; components of packages are left alone."""
    known = [added.name for added in added_models()]
    if name not in known:
        held = next((_owner(entry) for entry in _components() if entry.name == name), "")
        reason = f"it belongs to {held}; pip uninstall that" if held else f"added: {', '.join(known) or 'none'}"
        raise ModelError(f"no model {name!r} was added{near(name, known)}; {reason}")
    inside = read_entry(name).folder
    entry_file(name).unlink()
    if inside:
        shutil.rmtree(models_directory() / inside, ignore_errors=True)
    registry.cache_clear()


def _check_free(found: ModelFolder, name: str, force: bool) -> None:
    """Refuse a name that a package has registered, or that was added before."""
    for entry in _components():
        if entry.name == name and not entry.target.startswith(ADDED):
            raise ModelError(
                f"{found.where('name')}: the component {name!r} of {_owner(entry)} has this name, and a model does not "
                f"take its place; give another with --name"
            )
    if entry_file(name).exists() and not force:
        raise ModelError(
            f"a model {name!r} was added before ({models_directory()}); --force replaces it, --name adds another"
        )


def _copy(found: ModelFolder, name: str) -> str:
    """Copy the checked bytes into a folder that bears their hash; return its name."""
    inside = f"{name}.{found.sha256[:16]}"
    directory = models_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adding-", dir=directory) as temporary:
        new = Path(temporary) / "model"
        write_atomically(new / found.keys.weights.file, found.read_weights())
        write_atomically(new / MODEL_FILE, found.content)
        target = directory / inside
        if target.exists():  # the same content, or what someone changed
            target.rename(Path(temporary) / "old")
        new.rename(target)
    return inside


def _components() -> list[Entry]:
    return registry().of_kind("components")


def _owner(entry: Entry) -> str:
    return f"{entry.distribution} {entry.version}"
