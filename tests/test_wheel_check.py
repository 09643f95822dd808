"""What tools/wheel_check.py asks of a wheel, which wheels it puts beside it, and what it looks for in `crest list`."""

import json
from pathlib import Path

import packages
import pytest
import rendered
import wheel_check


def package(name, dependencies=(), test=(), backend="hatchling.build"):
    project = {
        "name": name,
        "version": "0.1.0",
        "dependencies": list(dependencies),
        "optional-dependencies": {"test": list(test)},
    }
    return packages.Package(name, Path(name), project, backend, ())


PURE = package("crest-a")
COMPILED = package("crest-b", backend="scikit_build_core.build")
GOOD = ["crest_a/__init__.py", "crest_a-0.1.0.dist-info/METADATA"]


@pytest.mark.parametrize(
    ("wheel", "files", "of", "problem"),
    [
        ("crest_a-0.1.0-py3-none-any.whl", GOOD, PURE, ""),
        ("crest_b-0.1.0-py3-none-linux_x86_64.whl", ["crest_b/m.so"], COMPILED, ""),
        ("crest_a-0.2.0-py3-none-any.whl", GOOD, PURE, "is not of version 0.1.0"),
        ("crest_a-0.1.0-py3-none-linux_x86_64.whl", GOOD, PURE, "is bound to a platform"),
        ("crest_b-0.1.0-cp311-cp311-linux_x86_64.whl", [], COMPILED, "bound to one version"),
        ("crest_a-0.1.0-py3-none-any.whl", ["tests/x.py"], PURE, "holds tests beside crest_a"),
        ("crest_a-0.1.0-py3-none-any.whl", ["crest_a/.cache/x"], PURE, "holds crest_a/.cache/x"),
    ],
)
def test_a_wheel_holds_its_module_and_nothing_else(wheel, files, of, problem):
    found = wheel_check.wheel_problem(wheel, files, of)
    assert problem in found and bool(problem) == bool(found)


def test_a_package_gets_the_wheels_that_it_declares_and_what_those_declare():
    core = package("crest-core", ["torch>=2"], test=["pytest"])
    fortran = package("crest-fortran", ["crest-core>=0.1"], test=["crest-other"])
    soil = package("terrahydro-soil", ["Crest_Fortran"], test=["crest-core[plot]"])
    other = package("crest-other")
    everything = [core, fortran, soil, other]
    assert wheel_check.workspace_needs(soil, everything) == {"crest-fortran", "crest-core"}
    assert wheel_check.workspace_needs(fortran, everything) == {"crest-core", "crest-other"}
    assert wheel_check.workspace_needs(core, everything) == set()


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("my-snow", "my-snow", None), ("soil", "crest-soil", "broken")], ""),
        ([("soil", "crest-soil", None)], "is not in crest list"),
        ([("my-snow", "crest-soil", None)], "is not in crest list"),
        ([("my-snow", "my-snow", "it gives ImportError")], "it gives ImportError"),
    ],
)
def test_a_rendered_package_is_listed_under_its_own_name_without_an_error(rows, problem):
    table = [{"name": name, "distribution": one, "error": error} for name, one, error in rows]
    listing = f"units.py:9: UserWarning: [no matplotlib]\n{json.dumps(table, indent=2)}"
    assert rendered.listing_problem("my-snow", listing) == problem


def test_a_package_of_each_template_is_rendered_by_the_command(tmp_path):
    def run(words):
        command, name, template = words[:3], words[2], words[4]
        assert command == ["crest_core", "new", f"my-{template}"]
        (tmp_path / "new" / name).mkdir()
        text = f'[build-system]\nrequires = []\nbuild-backend = "hatchling.build"\n[project]\nname = "{name}"\n'
        (tmp_path / "new" / name / "pyproject.toml").write_text(text)
        return ""

    found = rendered.render_packages(["torch", "onnx"], tmp_path / "new", run)
    assert [package.name for package in found] == ["my-torch", "my-onnx"]
