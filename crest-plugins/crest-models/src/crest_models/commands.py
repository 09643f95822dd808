"""The commands `crest add` and `crest remove`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crest_models.cards import card
from crest_models.library import add_model, remove_model


def add(
    folder: Annotated[Path, typer.Argument(help="A folder with model.yaml and one weights file.")],
    name: Annotated[str | None, typer.Option(help="Name to add it under; by default its own.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a model that was added under that name.")] = False,
) -> None:
    """Check a model folder and add it to your components; nothing in it is executed.

    \b
    crest add river-lstm && crest info river-lstm
    """
    added = add_model(folder, name=name, force=force)
    print(f"{card(folder)}\n\nadded as {added!r}: `crest info {added}`, or `use: {added}` in a run file")


def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="The name it was added under.")]) -> None:
    """Remove a model that was added; packages are left alone."""
    remove_model(name)
    print(f"removed {name!r}")
