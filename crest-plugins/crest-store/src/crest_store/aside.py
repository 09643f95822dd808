"""Files put aside while Icechunk rewrites them: a kill on the way brings back what the ledger knows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from crest_store import durable
from crest_store.ledger import Ledger

_NAME = "aside-"


def save(folder: Path, names: Iterable[str], lines: int) -> None:
    """Copy files before they are rewritten; `lines` is the length of the ledger, which grows when all is done."""
    begun, done = folder / "crest" / "aside", folder / "crest" / f"{_NAME}{lines}"
    shutil.rmtree(begun, ignore_errors=True)
    for name in names:
        (begun / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, begun / name)
        durable.sums(begun / name, sync=True)
        durable.sync_folder((begun / name).parent)
    begun.mkdir(exist_ok=True)
    os.rename(begun, done)
    durable.sync_folder(done.parent)


def restore(folder: Path, ledger: Ledger) -> None:
    """Bring files back that were put aside, where the ledger has not grown since, and drop the copies."""
    for saved in (folder / "crest").glob(f"{_NAME}*"):
        if len(ledger.lines) <= int(saved.name.removeprefix(_NAME)):
            for file in [path for path in saved.rglob("*") if path.is_file()]:
                os.replace(file, folder / file.relative_to(saved))
            durable.sync_folder(folder / "snapshots")
        shutil.rmtree(saved)
