"""Distributions that break what those who install them rely on."""

import pytest

from crest_core import registry
from crest_core.testing import TorchBucket, check_component, component_checks
from crest_core.testing.readme import Row, rows_of, text_of
from crest_core.testing.surroundings import undisturbed

TABLE = """
# snow

| | name | standard name | units |
|---|---|---|---|
| input | precipitation | precipitation_flux | mm day-1 |
| input | evapotranspiration | water_evapotranspiration_flux | mm day-1 |
| output | storage | mass_content_of_water_in_soil | kg m-2 |
| output | runoff | runoff_flux | mm day-1 |
| state | storage | | kg m-2 |
| parameter | capacity, shape | | mm, 1 |
"""
MODEL = '''
"""A bucket."""

from crest_core.testing.models import TorchBucket


class Snow(TorchBucket):
    """A bucket under another name."""
'''
HOOK = '"snow", "snow.model:Snow"'
PACKAGES = {  # how it is made, and the checks that fail and that warn
    "slow import": ({"model": "import time\ntime.sleep(1.2)\n" + MODEL}, set(), {"packaging.import-time"}),
    "import that changes the process": (
        {"model": MODEL + "\nimport torch\ntorch.set_default_dtype(torch.float64)\n"},
        {"packaging.import-clean"},
        set(),
    ),
    "heavy plugin module": ({"plugin": "import scipy"}, {"packaging.light-plugin"}, set()),
    "pickle among the files": ({"files": ["weights.pth"]}, {"packaging.no-pickle"}, set()),
    "no table and no licence": ({"licence": "", "readme": ""}, {"packaging.docs-table"}, {"packaging.licence"}),
}


class Tagged(TorchBucket):
    """Keeps a name with the weights."""

    def get_extra_state(self):
        return {"name": "tagged"}

    def set_extra_state(self, state):
        pass


class Unprintable(TorchBucket):
    """Cannot be shown before it has run."""

    def _repr_html_(self):
        raise AttributeError("nothing has run yet")


FAILING = {Tagged: {"state.safe-weights"}, Unprintable: {"packaging.shown"}}


@pytest.fixture
def snow(site):
    """Return the function that installs a distribution `snow` and gives its one component."""

    def install(*, model=MODEL, plugin="", readme=TABLE, licence="License-Expression: MIT\n", files=()):
        site.install("snow", f"{plugin}\n{site.hook(HOOK)}", modules={"model": model})
        metadata = site.path / "snow-1.0.dist-info" / "METADATA"
        metadata.write_text(f"Metadata-Version: 2.1\nName: snow\nVersion: 1.0\n{licence}\n{readme}")
        for name in files:
            (site.path / "snow" / name).write_bytes(b"")
        registry.cache_clear()
        with undisturbed():
            return registry().load("components", "snow")

    return install


def failure(component, name):
    """Return the words of one check that fails, without the others, some of which start a process."""
    (check,) = [check for check in component_checks(component) if str(check) == name]
    with pytest.raises(AssertionError) as caught:
        check()
    return str(caught.value)


def test_a_package_with_table_licence_and_light_plugin_passes(snow, broken_rules):
    assert broken_rules(snow()) == (set(), set())


@pytest.mark.parametrize("case", PACKAGES)
def test_a_wrong_package_is_told_by_its_own_checks_and_by_no_other(case, snow, broken_rules):
    arguments, failed, warned = PACKAGES[case]
    assert broken_rules(snow(**arguments)) == (failed, warned)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import pickle", "imports pickle"),
        ("import torch\n\ndef read(f):\n    return torch.load(f)", "torch.load without weights_only=True"),
        ("import numpy\n\ndef read(f):\n    return numpy.load(f, allow_pickle=True)", "calls numpy.load"),
    ],
)
def test_a_package_that_opens_pickles_is_told(snow, line, words):
    assert words in failure(snow(model=f"{MODEL}\n{line}\n"), "packaging.no-pickle")


def test_a_pickle_among_the_files_is_told_by_its_name(snow):
    assert "weights.pth is a pickle" in failure(snow(files=["weights.pth"]), "packaging.no-pickle")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("| output | runoff | runoff_flux | mm day-1 |\n", "", "output runoff is not in the table"),
        ("runoff_flux | mm day-1", "runoff_flux | kg m-2", "output runoff is mm day-1, in the table kg m-2"),
        ("| output | runoff |", "| output | runoff, depth |", "output depth is in the table and not declared"),
        ("|", "", "the README of snow has no table of inputs, outputs and states"),
    ],
)
def test_a_table_that_is_not_true_is_told(snow, old, new, words):
    assert words in failure(snow(readme=TABLE.replace(old, new)), "packaging.docs-table")


FUNCTION = '"""A bucket."""\nfrom crest_core.testing import TorchBucket\n\n\ndef Snow():\n    return TorchBucket()\n'


def test_a_function_is_judged_by_the_package_that_registers_it(snow):
    """It may give a class of another package, as the functions of adapters do."""
    assert check_component(snow(model=FUNCTION), name="snow").ids("fail") == []


def test_what_is_wrong_in_the_package_of_a_function_is_told(snow):
    table = TABLE.replace("| output | runoff |", "| output | flow |")
    function = snow(model=f"{FUNCTION}\nimport pickle\n", readme=table)
    report = check_component(function, name="snow")
    assert set(report.ids("fail")) == {"packaging.docs-table", "packaging.no-pickle"}
    (check,) = [one for one in component_checks(function, name="snow") if str(one) == "packaging.docs-table"]
    with pytest.raises(AssertionError, match="output runoff is not in the table"):
        check()


SHELF = '''
from crest_core.testing import TorchBucket


def __getattr__(name):
    """Return the function that makes a model of data, as adapters of model folders do."""
    if name != "Snow":
        raise AttributeError(name)
    def load():
        return TorchBucket()
    load.__qualname__, load.__doc__ = name, DOC
    return load
'''


def test_a_model_that_is_made_of_data_has_no_readme_and_no_licence_of_the_package_that_makes_it(snow):
    made = snow(model=f'DOC = "snow 1.0: a bucket"\n{SHELF}', readme="", licence="")
    report = check_component(made, name="snow", stages=["packaging"])
    texts = {result.check.id: result.text for result in report.results if result.outcome == "not applicable"}
    assert report.ok and "packaging.licence" in texts
    assert texts["packaging.docs-table"] == (
        "it stands in no source of snow, which makes it on demand, so that no README is its own; its docstring is what "
        "people read"
    )


def test_a_model_that_is_made_of_data_and_says_nothing_of_itself_is_told(snow):
    made = snow(model=f"DOC = None\n{SHELF}", readme="")
    failures = check_component(made, name="snow", stages=["packaging"]).failures
    assert [result.check.id for result in failures] == ["packaging.docs-table"]
    assert "so that no README is its own, and it has no docstring" in failures[0].text


def test_a_name_that_a_lazy_module_imports_is_held_against_the_readme(snow):
    lazy = "def __getattr__(name):\n    from crest_core.testing import TorchBucket\n    return TorchBucket\n"
    report = check_component(snow(model=lazy, readme=""), name="snow", stages=["packaging"])
    assert report.ids("fail") == ["packaging.docs-table"]


def test_the_readme_of_the_project_around_an_environment_is_not_that_of_what_is_installed(tmp_path):
    module = tmp_path / ".venv" / "snow" / "model.py"
    (tmp_path / "README.md").write_text("the table of Snow_Model")
    for pyproject, found in (
        ('[project]\nname = "someones-work"', ""),
        ("[tool.ruff]", ""),
        ("no toml", ""),
        ('[project]\nname = "Snow_Model"', "the table of Snow_Model"),
    ):
        (tmp_path / "pyproject.toml").write_text(pyproject)
        assert text_of("snow-model", str(module)) == found


@pytest.mark.parametrize("component", FAILING, ids=lambda kind: kind.__name__)
def test_a_class_that_cannot_be_shared_is_told_by_its_own_check(component, broken_rules):
    assert broken_rules(component) == (FAILING[component], set())


def test_a_row_may_name_several_fields():
    text = "| | name | units |\n|---|---|---|\n| state (both) | `a` (layer, cell), b | 1, kg m-2 |\n| note | c | 1 |"
    assert rows_of(text) == [Row("state", "a", "1"), Row("state", "b", "kg m-2")]


def test_a_kind_may_head_its_table():
    text = "| parameter | units | bounds |\n|---|---|---|\n| root_depth | m | 0-1 |\n\nno | table\n"
    assert rows_of(text) == [Row("parameter", "root_depth", "m")]
