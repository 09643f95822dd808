"""What the workspace consists of: its packages, what they need, and a fingerprint of each.

Pure functions on files, so that tests can run them on a made-up workspace.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE_FOLDERS = ("crest-core", "crest-plugins/*", "terrahydro-plugins/*")
SOURCE_FOLDERS_LEFT_OUT = {"tests", "build", "dist", "__pycache__"}


@dataclass(frozen=True)
class Package:
    """One distribution of the workspace, as its pyproject.toml describes it."""

    name: str
    folder: Path
    project: dict[str, Any]
    build_backend: str
    build_requires: tuple[str, ...]

    @property
    def compiled(self) -> bool:
        """True if building it compiles code, so that it cannot be installed editable."""
        return self.build_backend.startswith("scikit_build_core")

    @property
    def dependencies(self) -> list[str]:
        """Requirement lines that every user of the package gets."""
        return list(self.project.get("dependencies", []))

    @property
    def extras(self) -> dict[str, list[str]]:
        """Requirement lines by the name of the extra that asks for them."""
        return dict(self.project.get("optional-dependencies", {}))


def find_packages(root: Path = ROOT) -> list[Package]:
    """Return the packages of the workspace, crest-core first, the others by folder name."""
    files = [file for pattern in PACKAGE_FOLDERS for file in sorted(root.glob(f"{pattern}/pyproject.toml"))]
    return [read_package(file) for file in files]


def read_package(pyproject: Path) -> Package:
    """Return the package that one pyproject.toml describes."""
    try:
        content = tomllib.loads(pyproject.read_text(encoding="utf-8"))
        build = content["build-system"]
        return Package(
            name=content["project"]["name"],
            folder=pyproject.parent,
            project=content["project"],
            build_backend=build["build-backend"],
            build_requires=tuple(build["requires"]),
        )
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{pyproject} is not valid TOML: {error}") from error
    except KeyError as error:
        raise ValueError(f"{pyproject} lacks the key {error}") from error


def requirement_name(requirement: str) -> str:
    """Return the normalised distribution name of a requirement line.

    >>> requirement_name("Crest_Core[plot] >= 0.1; python_version > '3.10'")
    'crest-core'
    """
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    if match is None:
        raise ValueError(f"{requirement!r} does not begin with the name of a distribution")
    return re.sub(r"[-_.]+", "-", match.group(1)).lower()


def third_party(packages: list[Package], groups: dict[str, list[str]]) -> list[str]:
    """Return the requirement lines for all from outside: backends, dependencies, extras, groups."""
    own = {requirement_name(package.name) for package in packages}
    lines = {line for group in groups.values() for line in group}
    for package in packages:
        lines.update(package.build_requires, package.dependencies, *package.extras.values())
    return sorted(line for line in lines if requirement_name(line) not in own)


def dependency_groups(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the development requirements in the root pyproject.toml, by group."""
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(content.get("dependency-groups", {}))


def pinned(name: str, constraints: str) -> str:
    """Return the `name==version` line for one distribution out of the text of a constraints file.

    >>> pinned("torch", "numpy==2.4.6\\ntorch==2.13.0\\n")
    'torch==2.13.0'
    """
    for line in constraints.splitlines():
        line = line.split("#")[0].strip()
        if line and requirement_name(line) == requirement_name(name):
            return line
    raise ValueError(f"constraints.txt has no line for {name}; add {name}==VERSION")


def source_files(package: Package) -> list[Path]:
    """Return the files whose change means that the package must be installed again.

    An editable install reads the sources in place, so only its metadata counts.
    """
    if not package.compiled:
        return [package.folder / "pyproject.toml"]
    return sorted(
        path
        for path in package.folder.rglob("*")
        if path.is_file()
        and not SOURCE_FOLDERS_LEFT_OUT & set(path.relative_to(package.folder).parts)
        and not any(part.startswith(".") for part in path.relative_to(package.folder).parts)
        and path.suffix not in {".pyc", ".so", ".mod", ".o"}
    )


def fingerprint(package: Package) -> str:
    """Return a hash over the names and contents of the package's source files."""
    digest = hashlib.sha256(b"compiled" if package.compiled else b"editable")
    for path in source_files(package):
        digest.update(path.relative_to(package.folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def text_hash(*texts: str) -> str:
    """Return one hash over several texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
