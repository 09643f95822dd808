"""Render: write a package from its template; nothing in a template is executed, files are text with names put in."""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from copier import run_copy

from crest_core import CrestError
from crest_templates.choices import FOLDER, TEMPLATES
from crest_templates.package import Package

_COMMON = "common"


def render(package: Package, output: str | Path = ".") -> Path:
    """Write the package into a new folder of its name below `output`, all of it or nothing; return the folder.

    What all templates share is rendered first, the template's own files over it. CrestError where the folder exists
    or where the name is taken by something that is installed.
    """
    output = Path(output)
    folder = output / package.name
    if folder.exists() or folder.is_symlink():
        raise CrestError(f"{folder} exists; nothing is overwritten: take another name, or another --output")
    if not output.is_dir():
        raise CrestError(f"{output} is no folder; make it first, or take another --output")
    package.check_free()
    with tempfile.TemporaryDirectory(prefix=f".{package.name}-", dir=output) as temporary:
        trial = Path(temporary) / package.name
        data = _data(package)
        for layer in (_COMMON, package.template):
            _copy(layer, trial, data)
        trial.rename(folder)
    return folder


def _copy(layer: str, target: Path, data: dict[str, Any]) -> None:
    """Render one folder of templates; `unsafe` stays off: copier refuses tasks, migrations and extensions."""
    source = FOLDER / "templates"
    run_copy(str(source), target, {**data, "layer": layer}, defaults=True, overwrite=True, quiet=True, unsafe=False)


def _data(package: Package) -> dict[str, Any]:
    """Return what the templates put in; a TOML string is written as a JSON string."""
    template = TEMPLATES[package.template]
    author = package.author or f"The authors of {package.name}"
    return {
        "name": package.name,
        "module": package.module,
        "class_name": package.class_name,
        "template": package.template,
        "summary": template.model,
        "target": package.class_name if package.template in ("torch", "bmi", "fortran") else "build",
        "requires": ["crest-core>=0.1.0", *template.requires],
        "conserves": f'"{template.conserves}"' if template.conserves else "",
        "licence": package.licence,
        "licence_text": _licence(package.licence, author),
        "author": author,
        "author_toml": json.dumps(author, ensure_ascii=False),
        "today": datetime.date.today().isoformat(),
        "weights_sha256": _sha256(package.template, template.weights),
        "dot": ".",
    }


def _licence(licence: str, author: str) -> str:
    text = (FOLDER / "licences" / f"{licence}.txt").read_text(encoding="utf-8")
    return text.replace("{{ year }}", str(datetime.date.today().year)).replace("{{ author }}", author)


def _sha256(template: str, weights: str) -> str:
    """Return the hash of the weights that a template ships, "" if there are none."""
    if not weights:
        return ""
    file = FOLDER / "templates" / template / "src" / "{{module}}" / weights
    return hashlib.sha256(file.read_bytes()).hexdigest()
