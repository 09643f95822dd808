"""Stage packaging: what a distribution owes to those who install it."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib.metadata import PackageNotFoundError, entry_points, metadata
from pathlib import Path
from typing import Any

from crest_core.component import FIELD_GROUPS
from crest_core.plugins import GROUP, Entry, registry
from crest_core.testing.probing import light_probe, probe
from crest_core.testing.readme import Row, rows_of, text_of
from crest_core.testing.records import Check, Finding, doubts, failed, not_applicable, passed, verdict, warned
from crest_core.testing.subject import Subject
from crest_fields.errors import UnitError
from crest_fields.units import conversion

SLOW, TOO_SLOW = 1.0, 5.0  # s of its own, after torch and the core
UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npz.pkl")
MOST_FILES = 500


def import_time(subject: Subject) -> Finding:
    """Import the module in a fresh process that has torch and the core."""
    answer = probe(_module(subject))
    if isinstance(answer, str):
        return not_applicable(answer)
    seconds = float(answer["seconds"])
    text = f"importing {_module(subject)} takes {seconds:.2f} s"
    if seconds > TOO_SLOW:
        return failed(f"{text}; expected at most {TOO_SLOW:g} s")
    return warned(f"{text}; expected at most {SLOW:g} s") if seconds > SLOW else passed(text)


def import_clean(subject: Subject) -> Finding:
    """Look what the import changes in a fresh process."""
    answer = probe(_module(subject))
    if isinstance(answer, str):
        return not_applicable(answer)
    found: dict[str, str] = answer["changes"]
    mild = {
        "environment",
        "warnings filters",
        "interpreter",
        "random streams",
    }
    hard = [f"{kind}: {text}" for kind, text in found.items() if kind not in mild]
    soft = [f"{kind}: {text}" for kind, text in found.items() if kind in mild]
    return verdict(hard) if hard else doubts(soft)


def light_plugin(subject: Subject) -> Finding:
    """Import what registers it, with nothing before."""
    distribution = _distribution(subject)
    if not distribution:
        return not_applicable("no plugin registers it")
    modules = [p.value for p in entry_points(group=GROUP) if p.dist and p.dist.name == distribution]
    heavy: list[str] = []
    for module in modules:
        answer = light_probe(module.partition(":")[0])
        if isinstance(answer, str):
            return failed(f"{module}: {answer}")
        heavy += answer["heavy"]
    return verdict([f"{', '.join(modules)} imports {', '.join(sorted(set(heavy)))}"] if heavy else [])


def no_pickle(subject: Subject) -> Finding:
    """Read the sources and files of its package, importing nothing."""
    module = sys.modules.get(_module(subject).partition(".")[0])
    if _module(subject).partition(".")[0] in ("__main__", "crest_core") or module is None or module.__file__ is None:
        return not_applicable("it belongs to no package of its own")
    files = [Path(module.__file__)]
    if _is_package(module):
        files = sorted(path for path in files[0].parent.rglob("*") if path.is_file())[:MOST_FILES]
    problems = [f"{path.name} is a pickle" for path in files if path.name.endswith(PICKLES)]
    for path in files:
        if path.suffix == ".py":
            problems += [f"{path.name}:{line} {what}" for line, what in _unsafe(path)]
    return verdict(problems)


def docs_table(subject: Subject) -> Finding:
    """Hold the table of fields in the README against what is declared."""
    distribution = _distribution(subject)
    if not distribution:
        return not_applicable("no plugin registers it, so that no README is its own")
    if made := _made_on_demand(subject):
        described = "its docstring is what people read" if inspect.getdoc(made) else ""
        text = f"it stands in no source of {distribution}, which makes it on demand, so that no README is its own"
        return not_applicable(f"{text}; {described}") if described else failed(f"{text}, and it has no docstring")
    component = subject.plain
    rows = rows_of(text_of(distribution, getattr(sys.modules.get(_module(subject)), "__file__", None)))
    if not rows:
        return failed(f"the README of {distribution} has no table of inputs, outputs and states")
    missing: list[str] = []
    doubtful: list[str] = []
    for group, title in FIELD_GROUPS.items():
        kind = title.removesuffix("s")
        for spec in getattr(component, group):
            found = [row for row in rows if row.kind == kind and row.name == spec.name]
            if not found:
                (doubtful if kind == "parameter" else missing).append(f"{kind} {spec.name} is not in the table")
            elif kind != "parameter" and not any(_same_units(row.units, spec.units) for row in found):
                missing.append(f"{kind} {spec.name} is {spec.units}, in the table {found[0].units}")
    alone = len([e for e in registry().of_kind("components") if e.distribution == distribution]) == 1
    missing += _invented(rows, subject) if alone else []
    return verdict(missing) if missing else doubts(doubtful)


def docstring(subject: Subject) -> Finding:
    """Look for a docstring of the class's own."""
    kind = type(subject.plain)
    own = kind.__dict__.get("__doc__")
    return doubts([] if own else [f"{kind.__name__} has no docstring"])


def licence(subject: Subject) -> Finding:
    """Look for a licence in the metadata of the distribution."""
    distribution = _distribution(subject)
    if not distribution:
        return not_applicable("no plugin registers it")
    if _made_on_demand(subject):
        return not_applicable(f"it stands in no source of {distribution}, whose licence is not its own")
    try:
        found = metadata(distribution)
    except PackageNotFoundError:
        return not_applicable(f"{distribution} has no metadata")
    named = [found[key] for key in ("License-Expression", "License") if key in found]
    return passed(named[0]) if named else warned(f"{distribution} names no licence")


def shown(subject: Subject) -> Finding:
    """Print it, and show it as a notebook does."""
    component = subject.plain
    text, html = repr(component), component._repr_html_()
    lost = [spec.name for spec in component.outputs if spec.name not in html]
    return verdict([f"_repr_html_ does not show {', '.join(lost)}"] if lost else [], f"{len(text)} characters")


def _is_package(module: Any) -> bool:
    return module.__spec__ is not None and module.__spec__.submodule_search_locations is not None


def _module(subject: Subject) -> str:
    """Return the module that the author wrote: a registered function may give a class of another package."""
    entry = _entry(subject)
    return entry.target.partition(":")[0] if entry else type(subject.plain).__module__


def _distribution(subject: Subject) -> str:
    """Return the distribution that registers the component, "" if none does."""
    entry = _entry(subject)
    return entry.distribution if entry else ""


def _entry(subject: Subject) -> Entry | None:
    """Return what the registry has under the name that is checked, or of this class."""
    kind = type(subject.plain)
    target = f"{kind.__module__}:{kind.__qualname__}"
    entries = registry().of_kind("components")
    named = [entry for entry in entries if entry.name == subject.name]
    return next(iter(named + [entry for entry in entries if entry.target == target]), None)


def _made_on_demand(subject: Subject) -> Any:
    """Return what is registered where the `__getattr__` of its module makes it of data, else None.

    A name that a lazy `__init__` imports stands in the module that it comes from.
    """
    entry = _entry(subject)
    if entry is None:
        return None
    found = registry().load("components", entry.name)
    module, _, path = entry.target.partition(":")
    homes = [(module, path), (getattr(found, "__module__", ""), getattr(found, "__qualname__", ""))]
    written = [name.partition(".")[0] in vars(sys.modules[home]) for home, name in homes if home in sys.modules]
    return None if any(written) else found


def _unsafe(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a source that open pickles."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [(node.lineno, f"imports {name}") for name in names if name.partition(".")[0] in UNSAFE]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name == "torch.load" and given.get("weights_only") != "True":
                found.append((node.lineno, "calls torch.load without weights_only=True"))
            elif given.get("allow_pickle") == "True" or name.endswith("read_pickle"):
                found.append((node.lineno, f"calls {name}, which opens pickles"))
    return found


def _same_units(written: str, units: str) -> bool:
    try:
        return written == units or conversion(written, units).is_identity
    except UnitError:
        return False


def _invented(rows: list[Row], subject: Subject) -> list[str]:
    component, problems = subject.plain, []
    for group, title in FIELD_GROUPS.items():
        kind, names = title.removesuffix("s"), {spec.name for spec in getattr(component, group)}
        problems += [
            f"{kind} {r.name} is in the table and not declared" for r in rows if r.kind == kind and r.name not in names
        ]
    return problems


CHECKS = (
    Check("packaging.import-time", import_time, "everybody who loads the component waits for it",
          "import heavy libraries in the functions that need them"),
    Check("packaging.import-clean", import_clean, "an import must not change what others do", "do it in a function"),
    Check("packaging.light-plugin", light_plugin, "crest list reads all plugins and shall answer at once",
          "name targets as text in _plugin.py, and re-export lazily in __init__.py"),
    Check("packaging.no-pickle", no_pickle, "a pickle runs code when it is opened",
          "use safetensors, JSON, YAML by safe_load, or torch.load(weights_only=True)"),
    Check("packaging.docs-table", docs_table, "people choose a model by its README",
          "write a table | input | name | standard name | units | with all fields into the README, and keep it true"),
    Check("packaging.docstring", docstring, "crest info shows it", "say in a line what is computed, with its source"),
    Check("packaging.licence", licence, "nobody may use what has no licence",
          'write license = "..." into pyproject.toml'),
    Check("packaging.shown", shown, "people print components, and notebooks show them", "let repr work at any time"),
)  # fmt: skip
