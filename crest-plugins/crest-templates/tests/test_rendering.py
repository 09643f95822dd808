"""What is rendered is complete, consistent and clean; nothing in a template runs, nothing is overwritten."""

import ast
import hashlib
import re
import tomllib

import copier
import pytest
import yaml
from crest_templates import LICENCES, TEMPLATES, Package, render
from crest_templates.choices import FOLDER

from crest_core import CrestError
from crest_core.testing import check_component

AUTHOR = 'Jo "Snow" \\ Müller & co'
SHARED = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", ".gitignore", ".github/workflows/ci.yml"}
TEXTS = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".f90", ""}


@pytest.fixture(scope="module", params=TEMPLATES)
def rendered(request, tmp_path_factory):
    """Return (template, folder) of a package with an author that needs quoting."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, render(Package("alpine-snow", request.param, "MIT", AUTHOR), folder)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_a_package_is_complete(rendered):
    template, folder = rendered
    module = {f"src/alpine_snow/{name}" for name in ("__init__.py", "_plugin.py", "component.py")}
    assert SHARED | module | {"tests/test_conformance.py", "tests/test_model.py"} <= set(files_of(folder))
    assert any(name.endswith(f"/{TEMPLATES[template].edit}") for name in files_of(folder))


def test_nothing_of_the_template_language_is_left(rendered):
    _, folder = rendered
    for name, path in files_of(folder).items():
        assert path.suffix != ".jinja" and "{" not in name, name
        if path.suffix in TEXTS:
            text = path.read_text(encoding="utf-8").replace("${{ matrix.python }}", "")
            assert "{{" not in text and "{%" not in text and "TODO" not in text, name
            assert text.endswith("\n") and not text.endswith("\n\n"), name
            if path.suffix not in ("", ".yaml"):
                assert max(map(len, text.splitlines())) <= 120, name


def test_python_toml_and_yaml_can_be_parsed_and_say_who_wrote_it(rendered):
    _, folder = rendered
    for path in files_of(folder).values():
        if path.suffix == ".py":
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        elif path.suffix in (".yml", ".yaml"):
            assert yaml.safe_load(path.read_text(encoding="utf-8"))
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], project["license"]) == ("alpine-snow", "MIT")
    assert project["authors"] == [{"name": AUTHOR}]
    assert project["entry-points"]["crest.plugins"] == {"alpine_snow": "alpine_snow._plugin"}
    assert AUTHOR in (folder / "LICENSE").read_text(encoding="utf-8")


def declared(path):
    """Return what a source sets `conserves` to, of a class or of a component; () where it does not."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Assign)]
    values = [node.value for node in nodes if ast.unparse(node.targets[0]).rpartition(".")[2] == "conserves"]
    return ast.literal_eval(values[0]) if values else ()


def test_the_balance_is_declared_by_the_component_and_not_by_its_tests(rendered):
    """So that `crest check NAME` proves it, and not only the tests of the package."""
    template, folder = rendered
    balance = TEMPLATES[template].conserves
    assert declared(folder / "src" / "alpine_snow" / "component.py") == ((balance,) if balance else ())
    assert "conserves" not in (folder / "tests" / "test_conformance.py").read_text(encoding="utf-8").lower()


def test_crest_check_is_red_where_an_edit_breaks_the_balance_of_the_template(tmp_path):
    source = render(Package("alpine-snow"), tmp_path) / "src" / "alpine_snow" / "component.py"

    def conforms(text):
        names = {"__name__": "edited"}
        exec(compile(text, str(source), "exec"), names)
        report = check_component(names["AlpineSnow"], stages=["conservation"])
        return report.ok, report.ids("fail")

    text = source.read_text(encoding="utf-8")
    assert conforms(text) == (True, [])
    assert conforms(text.replace("swe = snow - melt", "swe = snow - 0.9 * melt")) == (False, ["conservation.water"])
    assert conforms(text.replace("melt = snow * share", "melt = 0.9 * snow * share")) == (True, [])


def test_the_edit_and_the_tests_that_contributing_names_are_those_of_the_template(tmp_path):
    folder = render(Package("my-model"), tmp_path)
    source = (folder / "src" / "my_model" / "component.py").read_text(encoding="utf-8")
    assert source.count("        swe = snow - melt\n") == source.count("        melt = snow * share\n") == 1
    tests = (folder / "tests" / "test_model.py").read_text(encoding="utf-8")
    assert re.findall(r"^def (test_\w+)", tests, re.M) == [
        "test_what_falls_rains_melts_or_lies",
        "test_in_hard_frost_all_of_it_lies_as_snow",
        "test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened",
        "test_the_gradient_with_respect_to_temperature_is_right",
        "test_calibration_finds_the_factor_that_made_the_observations",
    ]


def test_the_hash_of_the_weights_is_that_of_the_file(rendered):
    template, folder = rendered
    weights = TEMPLATES[template].weights
    if not weights:
        assert not re.search(r"[0-9a-f]{64}", "".join(p.read_text() for p in files_of(folder).values()))
        return
    digest = hashlib.sha256((folder / "src" / "alpine_snow" / weights).read_bytes()).hexdigest()
    texts = [path.read_text() for path in files_of(folder).values() if path.suffix in (".py", ".yaml")]
    assert sum(digest in text for text in texts) == 1
    assert (folder / "src" / "alpine_snow" / weights).stat().st_size < 50_000


@pytest.mark.parametrize("licence", LICENCES)
def test_each_licence_is_there_with_its_text(licence, tmp_path):
    folder = render(Package("alpine-snow", "numpy", licence, "Our group"), tmp_path)
    text = (folder / "LICENSE").read_text(encoding="utf-8")
    title = {
        "Apache-2.0": "Apache License",
        "MPL-2.0": "Mozilla Public License",
        "GPL-3.0-or-later": "GNU GENERAL",
    }
    assert title.get(licence, licence.replace("-", " ").removesuffix(" Clause")) in text
    assert ("Our group" in text) == (licence in ("BSD-3-Clause", "MIT"))
    assert f'license = "{licence}"' in (folder / "pyproject.toml").read_text(encoding="utf-8")


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path, monkeypatch):
    (tmp_path / "alpine-snow").mkdir()
    with pytest.raises(CrestError, match="alpine-snow exists; nothing is overwritten"):
        render(Package("alpine-snow"), tmp_path)
    with pytest.raises(CrestError, match="is no folder; make it first"):
        render(Package("alpine-snow"), tmp_path / "nowhere")
    monkeypatch.setattr("crest_templates.rendering._sha256", lambda template, weights: [].pop())
    with pytest.raises(IndexError):
        render(Package("polar-snow"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["alpine-snow"]


def test_the_templates_hold_nothing_that_copier_would_run(tmp_path):
    settings = yaml.safe_load((FOLDER / "templates" / "copier.yml").read_text(encoding="utf-8"))
    assert not {"_tasks", "_migrations", "_jinja_extensions", "_external_data"} & set(settings)
    source = tmp_path / "source"
    source.mkdir()
    (source / "copier.yml").write_text("_tasks: ['touch ran']\n")
    with pytest.raises(copier.errors.UnsafeTemplateError):
        copier.run_copy(str(source), tmp_path / "target", defaults=True, quiet=True, unsafe=False)
