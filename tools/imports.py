"""Read out of the sources what each module imports, without running anything."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packages import Package


@dataclass(frozen=True)
class Import:
    """One imported module, and the names taken from it or used through its alias."""

    module: str
    names: tuple[str, ...]
    file: Path
    line: int
    guarded: bool  # inside a function, `try` or `if TYPE_CHECKING:`: absence can be handled
    for_types_only: bool

    @property
    def top(self) -> str:
        """The first part of the module's name."""
        return self.module.split(".")[0]


def python_files(package: Package) -> list[Path]:
    """Return the source files of a package, its tests aside."""
    return sorted((package.folder / "src").rglob("*.py"))


def package_imports(package: Package) -> list[Import]:
    """Return every absolute import in the sources of a package; relative ones are made absolute."""
    source = package.folder / "src"
    return [found for file in python_files(package) for found in file_imports(file, source)]


def file_imports(file: Path, source: Path) -> list[Import]:
    """Return the imports of one file below the source folder."""
    tree = ast.parse(file.read_text(encoding="utf-8"), str(file))
    parts = file.relative_to(source).with_suffix("").parts
    inside = parts[:-1]
    return list(_imports(tree, tree, file, inside, guarded=False, types=False))


def imports_of_text(text: str, inside: str = "") -> list[Import]:
    """Return the imports of a piece of source text that lies inside the named package."""
    tree = ast.parse(text)
    parts = tuple(inside.split(".")) if inside else ()
    return list(_imports(tree, tree, Path("text.py"), parts, guarded=False, types=False))


def is_third_party(module: str) -> bool:
    """Return whether a top-level module comes from outside the standard library."""
    return module not in sys.stdlib_module_names and module != "__future__"


def _imports(
    node: ast.AST, tree: ast.AST, file: Path, inside: tuple[str, ...], guarded: bool, types: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                bound = alias.asname or alias.name.split(".")[0]
                used = _attributes_used(tree, alias.asname or alias.name, bound)
                yield Import(alias.name, used, file, child.lineno, guarded, types)
        elif isinstance(child, ast.ImportFrom):
            base = inside[: len(inside) - child.level + 1] if child.level else ()
            module = ".".join([*base, *([child.module] if child.module else [])])
            names = tuple(alias.name for alias in child.names)
            yield Import(module, names, file, child.lineno, guarded, types)
        else:
            only_types = types or _tests_type_checking(child)
            can_fail = guarded or only_types or isinstance(child, _GUARDS)
            yield from _imports(child, tree, file, inside, can_fail, only_types)


_GUARDS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Try, ast.Lambda)


def _tests_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _attributes_used(tree: ast.AST, module: str, bound: str) -> tuple[str, ...]:
    """Return the first attribute after the module's name in each dotted use of it."""
    depth = module.count(".") if module.split(".")[0] == bound else 0
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        dotted = ast.unparse(node) if _is_dotted_name(node) else ""
        parts = dotted.split(".")
        if parts[0] == bound and len(parts) == depth + 2:
            names.add(parts[-1])
    return tuple(sorted(names))


def _is_dotted_name(node: ast.AST) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
