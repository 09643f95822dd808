"""Checks before a run that its files can be written, and that none takes the place of another."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from crest_core import StoreError
from crest_run.errors import RunFileError
from crest_run.runfile import RunFile


def check_targets(run: RunFile) -> None:
    """Make the folders of what a run writes; raises where a file cannot be written, or is one that the run reads."""
    targets = {key: path for key, path in run.output if isinstance(path, Path)}
    taken = _read(run)
    for key, path in targets.items():
        with run.at("output", key):
            resolved = path.resolve()  # a link is followed, not replaced
            other = taken.get(resolved)
            if other and (key, other) != ("restart", "resume"):
                raise RunFileError(f"{path} is also {other} and would be overwritten; give another path")
            taken[resolved] = f"output.{key}"
            if key == "path" and run.resume and resolved.exists():
                raise RunFileError(f"{path} exists and holds what came before the restart; give another path")
    for key, path in targets.items():
        with run.at("output", key):
            check_target(path)


def check_target(path: Path) -> None:
    """Make the folder of a file; StoreError if the file cannot be written there, or is a folder or device."""
    try:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is no regular file and is left alone; give the path of a file")
        path.resolve().parent.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path.resolve().parent):
            pass  # only a trial tells: root, full disks and read-only mounts have rules of their own
    except StoreError:
        raise
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise StoreError(f"{path} cannot be written: {error}") from error


def _read(run: RunFile) -> dict[Path, str]:
    """Return the files that a run reads, and the key that names each."""
    files = {"the run file": Path(run.file), "forcing.path": run.forcing.path}
    files |= {f"graph.components.{name}.weights": part.weights for name, part in run.graph.components.items()}
    files["resume"] = run.resume  # last: the only one that a restart may replace
    found: dict[Path, str] = {}
    for key, path in files.items():
        if path is not None:
            with run.at():
                found.setdefault(path.resolve(), key)
    return found
