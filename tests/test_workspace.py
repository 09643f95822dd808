"""What every package of the workspace must be: complete, honest about its needs, in its layer."""

import re
from importlib.metadata import packages_distributions

import imports
import packages
import pytest

ROOT = packages.ROOT
PACKAGES = packages.find_packages()
CORE = next(package for package in PACKAGES if package.name == "crest-core")
FIELDS = next(package for package in PACKAGES if package.name == "crest-fields")
PLUGINS = [package for package in PACKAGES if package not in (CORE, FIELDS)]
OWN_MODULES = {package.name.replace("-", "_"): package.name for package in PACKAGES}
PUBLIC_SUBMODULES = {"crest_core.plugins", "crest_core.hookspecs", "crest_core.testing"}
LIGHT_SUBMODULES = PUBLIC_SUBMODULES - {"crest_core.testing"}
CORE_LINES = 3000
FILE_LINES = 300

# Lowest first, above crest-fields; a module imports from its own layer and those before it.
LAYERS = (
    {"errors"},
    {"component", "parameters", "gradients", "blackbox", "tensor_map", "store"},
    {"connection", "matching", "exchange", "plan", "graph", "gradient_report"},
    {"forcing", "output", "provenance", "restarting", "driver"},
    {"hookspecs", "plugins"},
    {"testing", "cli", "__main__"},
)
# An import upwards, and why: what it reaches must not import the module that reaches it.
UPWARDS = {("driver", "crest_core.testing.compliance"): "CREST_COMPLIANCE=1 looks at the calls of any run"}

each_package = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
each_plugin = pytest.mark.parametrize("package", PLUGINS, ids=lambda package: package.name)


@each_package
def test_a_package_is_complete(package):
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "tests"):
        assert (package.folder / name).exists(), f"{package.name} lacks {name}"
    assert list(package.folder.glob("tests/**/test_*.py")), f"{package.name} has no test"
    assert (package.folder / "src" / package.name.replace("-", "_") / "__init__.py").is_file()
    assert package.folder.name == package.name


@each_package
def test_the_metadata_follow_the_rules_of_the_workspace(package):
    project = package.project
    assert project["version"] == "0.1.0"
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"
    assert project["readme"] == "README.md"
    assert project["authors"] == [{"name": "CREST contributors"}]
    assert project["description"]
    assert "0.1.0" in (package.folder / "CHANGELOG.md").read_text(encoding="utf-8")


@each_package
def test_requirements_are_lower_bounds(package):
    """Exact versions stand in constraints.txt only, so that packages can be combined."""
    lines = [*package.dependencies, *(line for extra in package.extras.values() for line in extra)]
    for line in lines:
        bare = line.split(";")[0]
        assert not re.search(r"==|<|~=", bare), f"{package.name}: {line} is no lower bound"


@each_package
def test_what_is_required_is_pinned(package):
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for line in packages.third_party([package], {}):
        if packages.requirement_name(line) not in OWN_MODULES.values():
            assert packages.pinned(packages.requirement_name(line), constraints)


@each_package
def test_what_is_imported_is_declared(package):
    """At the top of a module: a dependency; inside a function or `try`: at least in an extra."""
    always = {packages.requirement_name(line) for line in package.dependencies}
    extras = [line for extra in package.extras.values() for line in extra]
    sometimes = always | {packages.requirement_name(line) for line in extras}
    assert_none(
        f"{where(found)} imports {found.module}; declare it in {package.name}'s pyproject.toml"
        for found in third_party_imports(package, imports.package_imports(package))
        if not found.for_types_only
        if not distributions_of(found.top) & (sometimes if found.guarded else always)
    )


@each_package
def test_what_the_tests_import_is_declared(package):
    extras = [line for extra in package.extras.values() for line in extra]
    declared = {packages.requirement_name(line) for line in package.dependencies + extras}
    tests = package.folder / "tests"
    found = [one for file in tests.rglob("*.py") for one in imports.file_imports(file, tests)]
    local = {path.stem for path in tests.rglob("*.py")}
    assert_none(
        f"{where(one)} imports {one.module}; add it to the extra `test` of {package.name}"
        for one in third_party_imports(package, found)
        if one.top not in local and not distributions_of(one.top) & declared
    )


@each_package
def test_what_is_declared_is_imported_or_argued_for(package):
    """A comment on the line of a dependency in pyproject.toml says why it is there unimported."""
    imported = {name for found in imports.package_imports(package) for name in distributions_of(found.top)}
    lines = (package.folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    argued = [line for line in lines if "#" in line]
    assert_none(
        f"{package.name} declares {requirement} and imports nothing of it; take it out, or give "
        f"the reason in a comment on that line of pyproject.toml"
        for requirement in package.dependencies
        if packages.requirement_name(requirement) not in imported
        if not any(f'"{requirement}"' in line for line in argued)
    )


@each_plugin
def test_a_plugin_imports_public_names_of_the_core_and_no_other_plugin(package):
    public = public_names()
    assert_none(
        f"{where(found)} {problem}"
        for found in imports.package_imports(package)
        if (problem := import_problem(found, package.name.replace("-", "_"), public))
    )


@each_plugin
def test_what_registers_a_plugin_imports_nothing_heavy(package):
    entry_points = package.project["entry-points"]["crest.plugins"]
    assert entry_points
    for module in entry_points.values():
        assert module.endswith("._plugin")
    source = package.folder / "src"
    files = list(source.glob("*/_plugin.py"))
    assert files, f"{package.name} has no _plugin.py"
    for found in imports.file_imports(files[0], source):
        light = not imports.is_third_party(found.top) or found.module in LIGHT_SUBMODULES
        assert light or (found.module == "crest_core" and set(found.names) <= {"plugins"}), (
            f"{where(found)} imports {found.module}; name the target as text instead"
        )


def test_layers_of_the_core_import_downwards_only():
    layer = {module: number for number, modules in enumerate(LAYERS) for module in modules}
    modules = {core_module(file) for file in imports.python_files(CORE)} - {"__init__"}
    assert_none(f"give {module} a place in LAYERS" for module in sorted(modules - set(layer)))
    assert_none(
        f"{where(found)}: {core_module(found.file)} imports {target}, which is in a higher layer"
        for found in imports.package_imports(CORE)
        if found.top == "crest_core" and not found.for_types_only
        if core_module(found.file) != "__init__"
        for target in targets(found)
        if layer[target] > layer[core_module(found.file)]
        if (core_module(found.file), found.module) not in UPWARDS
    )


def test_the_vocabulary_stands_below_the_core():
    assert_none(
        f"{where(found)} imports {found.module}; crest-fields knows no model"
        for found in imports.package_imports(FIELDS)
        if found.top in OWN_MODULES and found.top != "crest_fields" or found.top == "torch"
    )


def test_the_core_stays_small():
    """Every line counts, blank ones and docstrings too."""
    files = [file for file in imports.python_files(CORE) if core_module(file) != "testing"]
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    assert lines <= CORE_LINES, f"crest-core has {lines} lines, at most {CORE_LINES}"


@each_package
def test_no_file_is_longer_than_one_idea(package):
    assert_none(
        f"{file.relative_to(ROOT)} has {lines} lines, at most {FILE_LINES}"
        for file in imports.python_files(package)
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    )


def test_the_import_reader_sees_what_matters():
    text = (
        "import crest_core as crest\nimport scipy.sparse\nfrom . import sibling\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import xarray\n"
        "def late():\n    import matplotlib\n    return crest.Graph, scipy.sparse.eye\n"
    )
    found = {one.module: one for one in imports.imports_of_text(text, inside="crest_core.testing")}
    assert found["crest_core"].names == ("Graph",) and not found["crest_core"].guarded
    assert found["scipy.sparse"].names == ("eye",)
    assert found["crest_core.testing"].names == ("sibling",)
    assert found["xarray"].for_types_only
    assert found["matplotlib"].guarded and not found["matplotlib"].for_types_only


def test_private_names_and_other_plugins_are_seen():
    def problem(text):
        (found,) = imports.imports_of_text(text)
        return import_problem(found, "crest_fortran", {"Graph"})

    assert problem("from crest_core import Graph") == ""
    assert problem("from crest_core.plugins import hookimpl") == ""
    assert "not in crest_core.__all__" in problem("from crest_core import hidden")
    assert "take the name from crest_core" in problem("from crest_core.graph import Graph")
    assert "get it by its registry name" in problem("import terrahydro_soil_moisture")


def import_problem(found, own, public):
    """Return what an import of a plugin does that it must not, or an empty text."""
    if found.top in OWN_MODULES and found.top not in (own, "crest_core"):
        return f"imports the plugin {found.top}; get it by its registry name"
    if found.module == "crest_core":
        open_modules = {name.split(".")[1] for name in PUBLIC_SUBMODULES}
        private = sorted(set(found.names) - public - open_modules)
        return f"uses {', '.join(private)}: not in crest_core.__all__" if private else ""
    if found.top == "crest_core" and ".".join(found.module.split(".")[:2]) not in PUBLIC_SUBMODULES:
        return f"imports {', '.join(found.names)} of {found.module}; take the name from crest_core"
    return ""


def assert_none(problems):
    found = list(problems)
    assert not found, "\n" + "\n".join(found)


def third_party_imports(package, found):
    own = package.name.replace("-", "_")
    return [one for one in found if imports.is_third_party(one.top) and one.top != own]


_DISTRIBUTIONS = packages_distributions()


def distributions_of(module):
    """Return the distributions that install a top-level module."""
    names = {packages.requirement_name(name) for name in _DISTRIBUTIONS.get(module, [])}
    return names | ({OWN_MODULES[module]} if module in OWN_MODULES else set())


def public_names():
    import crest_core

    return set(crest_core.__all__)


def core_module(file):
    return file.relative_to(CORE.folder / "src" / "crest_core").with_suffix("").parts[0]


def targets(found):
    """Return the modules of the core that one import reaches."""
    parts = found.module.split(".")
    if len(parts) > 1:
        return [parts[1]]
    folder = CORE.folder / "src" / "crest_core"
    modules = {path.stem for path in folder.iterdir()}
    return [name for name in found.names if name in modules and name != "__init__"]


def where(found):
    return f"{found.file.relative_to(ROOT) if found.file.is_absolute() else found.file}:{found.line}"
