"""The command `crest check`, as its users see it."""

import json
import os
import subprocess
import sys

import pytest

from crest_core.cli import main
from crest_core.testing.checks import CHECKS


@pytest.fixture
def crest(capsys, site, monkeypatch):
    """Run `crest` with small models registered; return exit status, output and errors."""
    testing = "crest_core.testing.models"
    source = site.hook(
        f'"bucket", "{testing}:TorchBucket"',
        f'"reservoir", "{testing}:LinearReservoir"',
        '"needy", "models.more:Needy"',
    )
    more = f"""
        from {testing} import TorchBucket

        class Needy(TorchBucket):
            def __init__(self, size):
                super().__init__(capacity=size)
    """
    site.install("models", source, modules={"more": more})
    monkeypatch.setenv("CREST_PLUGINS", "models,core")

    def crest(*words):
        with pytest.raises(SystemExit) as end:
            main(["check", *map(str, words)])
        return end.value.code or 0, *capsys.readouterr()

    return crest


def test_a_good_component_gives_one_line_and_status_0(crest):
    status, out, _ = crest("bucket", "--stage", "shapes")
    assert status == 0
    assert out.startswith("bucket: ") and " pass" in out and len(out.splitlines()) == 1


def test_a_failure_gives_status_1_with_reason_and_fix(crest):
    status, out, _ = crest("reservoir", "--stage", "shapes")
    words = " ".join(out.split())
    assert status == 1
    assert (
        "ports.in-dictionary fail streamflow: 'water_volume_transport_per_area' is not in the field dictionary" in words
    )
    assert "why: components of others find a field by its standard name" in words
    assert "fix: take the name from the field dictionary" in words
    assert "does not conform" in words


def test_json_is_all_of_standard_output(crest):
    status, out, _ = crest("reservoir", "--stage", "shapes", "--json", "--seed", 4)
    data = json.loads(out)
    assert (status, data["ok"], data["seed"], data["component"]) == (1, False, 4, "reservoir")
    assert {row["outcome"] for row in data["results"] if row["stage"] == "shapes"} == {"skipped"}


def test_expected_failures_are_read_from_a_file(crest, tmp_path):
    file = tmp_path / "expected.yaml"
    file.write_text("ports.in-dictionary: streamflow per area has no standard name\n")
    status, out, _ = crest("reservoir", "--stage", "ports", "--expect", file)
    assert status == 0
    assert "expected failure" in out
    file.write_text("- a list\n")
    assert crest("reservoir", "--expect", file)[0] == 2
    file.write_text("ports.dims: [")
    assert "cannot be read as YAML" in crest("reservoir", "--expect", file)[2]


def test_arguments_of_the_component_are_given_by_name(crest):
    status, out, _ = crest("needy", "--stage", "ports")
    assert status == 1
    assert "missing 1 required positional argument: 'size'" in out and "crest check NAME argument=value" in out
    assert crest("needy", "size=80.0", "--stage", "ports")[0] == 0
    status, _, err = crest("needy", "80.0")
    assert status == 2
    assert "'80.0' is no name=value, such as altitude=240" in err


def test_sizes_and_balances_are_options(crest):
    words = "--conserves", "water: precipitation = evapotranspiration + runoff + d(storage)"
    assert crest("bucket", *words, "--size", "cell=3", "--stage", "conservation")[0] == 0
    status, out, _ = crest(
        "bucket", "--conserves", "water: precipitation = runoff + d(storage)", "--stage", "conservation"
    )
    assert status == 1
    assert "largest residual" in out
    assert "expected a whole number from 1 on" in crest("bucket", "--size", "cell=0")[2]
    assert "balance 'water: rain'" in crest("bucket", "--conserves", "water: rain")[2]


def test_a_class_of_ones_own_need_not_be_installed(crest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_model.py").write_text("from crest_core.testing.models import Stress\n")
    assert crest("own_model:Stress", "--stage", "ports")[0] == 0
    status, _, err = crest("own_model:Stres")
    assert status == 2
    assert "expected package.module:Class, importable from here" in err
    sys.modules.pop("own_model", None)


def test_a_wrong_command_gives_status_2_and_says_what_is_right(crest):
    assert "crest check needs a name; `crest list --kind components`" in crest()[2]
    status, _, err = crest("buckett")
    assert status == 2 and "'buckett' is not installed; did you mean 'bucket'?" in err
    assert "stage 'shape' is unknown; did you mean 'shapes'" in crest("bucket", "--stage", "shape")[2]
    assert "'value: [' " not in crest("bucket", "x=[")[1]
    assert "the value is no YAML" in crest("bucket", "x=[")[2]


def test_list_shows_every_check_and_help_teaches(crest):
    status, out, _ = crest("--list")
    assert status == 0
    assert all(check.id in out for check in CHECKS)
    status, out, _ = crest("--help")
    words = " ".join(out.split())
    assert status == 0
    for text in ("crest check et-penman-monteith altitude=240", "Exit status: 0 all kept", "--stage STAGE"):
        assert text in words


def test_a_component_that_ends_the_process_fails_the_check_that_ran(crest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "ending.py").write_text(
        "import os, sys\nfrom crest_core.testing.models import TorchBucket\n"
        "class Quits(TorchBucket):\n    def step(self, state, inputs, time): os._exit(0)\n"
        "class Killed(TorchBucket):\n    def __init__(self): super().__init__(); os.kill(os.getpid(), 9)\n"
    )
    status, out, _ = crest("ending:Quits", "--stage", "shapes", "--json")
    results = json.loads(out)["results"]
    (failure,) = [row for row in results if row["outcome"] == "fail"]
    assert status == 1 and failure["id"] not in ("build.factory", results[-1]["id"])
    assert "the process ended with status 0 while this check ran" in failure["text"]
    assert results[-1]["text"] == "the process had ended"
    status, out, _ = crest("ending:Killed")
    assert status == 1 and "build.factory" in out and "the process ended by signal 9" in " ".join(out.split())


def test_what_a_component_prints_goes_to_standard_error(tmp_path):
    (tmp_path / "printing.py").write_text(
        "import os, sys\nfrom crest_core.testing.models import TorchBucket\n"
        "class Prints(TorchBucket):\n    def __init__(self):\n        super().__init__()\n"
        "        os.write(1, b'by fd')\n        print('by dunder', file=sys.__stdout__)\n"
    )
    words = [sys.executable, "-m", "crest_core", "check", "printing:Prints", "--stage", "ports", "--json"]
    environment = {**os.environ, "CREST_PLUGINS": "core"}
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout)["component"] == "printing:Prints"
    assert "by fd" in done.stderr and "by dunder" in done.stderr


def test_verbose_shows_what_was_not_looked_at_and_why(crest):
    _, out, _ = crest("bucket", "--stage", "sequence", "--verbose")
    assert "it refuses a run of no steps (RuntimeError)" in " ".join(out.split())


def test_listing_commands_imports_no_torch():
    code = (
        "import sys\nfrom crest_core.cli import main\n"
        "try:\n    main(['list'])\nexcept SystemExit:\n    pass\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "CREST_PLUGINS": "core"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "check" in done.stdout
