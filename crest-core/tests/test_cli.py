"""The command `crest`, as its users see it: exit status, standard output, standard error."""

import json
import os
import resource
import subprocess
import sys

import pytest

from crest_core.cli import main
from crest_core.errors import PluginError


@pytest.fixture
def crest(capsys):
    """Run `crest` in this process and return exit status, output and errors."""

    def crest(*words):
        with pytest.raises(SystemExit) as end:
            main(list(map(str, words)))
        return end.value.code or 0, *capsys.readouterr()

    return crest


# crest list


def test_list_shows_name_kind_summary_distribution_and_version(models, crest):
    status, out, err = crest("list")
    assert (status, err) == (0, "")
    assert out.split()[:5] == ["name", "kind", "summary", "distribution", "version"]
    (row,) = [line for line in out.splitlines() if line.startswith("bucket")]
    for word in ("components", "A bucket of water", "models", "1.0"):
        assert word in row


def test_list_as_json_has_six_keys_for_each_name(models, crest):
    status, out, _ = crest("list", "--json")
    rows = json.loads(out)
    assert status == 0
    assert all(list(row) == ["name", "kind", "summary", "distribution", "version", "error"] for row in rows)
    assert {row["name"]: row["kind"] for row in rows}["weather"] == "data_sources"
    assert {row["error"] for row in rows} == {None}
    assert {row["summary"] for row in rows if row["name"] == "lstm"} == {""}


def test_list_shows_broken_plugins_with_the_reason_and_goes_on(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "models,wreck")
    status, out, err = crest("list")
    assert (status, err) == (0, "")
    assert "bucket" in out
    words = " ".join(out.split())
    assert "plugin 'wreck' of wreck 1.0 is left out: OSError('no libfoo'); repair it, or: pip uninstall wreck" in words
    rows = {row["name"]: row for row in json.loads(crest("list", "--json")[1])}
    assert rows["wreck"]["kind"] == "plugin"
    assert "no libfoo" in rows["wreck"]["error"]


def test_list_of_a_kind_leaves_out_the_others_but_not_the_broken(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "models,wreck")
    rows = json.loads(crest("list", "--kind", "data_sources", "--json")[1])
    assert [row["name"] for row in rows] == ["weather", "wreck"]
    status, _, err = crest("list", "--kind", "component")
    assert status == 2
    assert "crest: kind 'component' is unknown; did you mean 'components'?" in err


def test_list_load_imports_every_target_and_reports_what_fails(models, crest, monkeypatch):
    assert crest("list", "--load")[0] == 0
    source = models.hook('"dud", "absent_library:Dud"')
    models.install("duds", source)
    monkeypatch.setenv("CREST_PLUGINS", "models,duds")
    from crest_core.plugins import registry

    registry.cache_clear()
    assert crest("list")[0] == 0
    status, out, _ = crest("list", "--load", "--json")
    errors = {row["name"]: row["error"] for row in json.loads(out)}
    assert status == 1
    assert "No module named 'absent_library'" in errors["dud"]
    assert errors["bucket"] is None


def test_list_as_json_stays_json_where_plugins_print(models, crest, monkeypatch):
    source = "print('import')\n" + models.hook("(print('hook'), 'chatty-model')[1], \"chatty.model:pi\"")
    models.install("chatty", source, modules={"model": "print('model')\nfrom math import pi"})
    monkeypatch.setenv("CREST_PLUGINS", "models,chatty")
    status, out, err = crest("list", "--load", "--json")
    assert status == 0
    assert "chatty-model" in {row["name"] for row in json.loads(out)}
    assert err.split() == ["import", "hook", "model"]


def test_list_without_plugins_says_so(models, crest, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "")
    assert "nothing is installed; pip install a plugin" in crest("list")[1]


def test_list_imports_nothing_heavy_and_is_fast(models):
    code = (
        "import sys\nfrom crest_core.cli import main\ntry:\n    main(['list'])\n"
        "except SystemExit:\n    print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(models.path)}
    seconds = []  # of the processor: the machine may be busy
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "A bucket of water" in done.stdout
    modules = done.stdout.splitlines()[-1]
    for heavy in ("torch", "xarray", "pint", "pandas", "numpy", "scipy", "cftime", "yaml"):
        assert f"'{heavy}'" not in modules
    assert min(seconds) < 0.5


def test_broken_plugins_are_warned_of_by_the_other_commands(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "models,wreck")
    status, out, err = crest("info", "bucket")
    assert status == 0
    assert "crest: warning: plugin 'wreck' of wreck 1.0 is left out: OSError('no libfoo')" in err
    assert "warning" not in out


# crest info


def test_info_shows_the_fields_with_units_and_the_gradient_policy(models, crest):
    status, out, _ = crest("info", "bucket")
    assert status == 0
    assert "crest_core.testing.models:TorchBucket(capacity: 'float' = 100.0" in out
    assert "S' = S + P - E - Q" in out
    for title in ("inputs", "outputs", "states", "parameters"):
        assert title in out.split()
    (row,) = [line for line in out.splitlines() if "precipitation_flux" in line]
    for word in ("precipitation", "mm day-1", "cell", "mean", "0 to 500"):
        assert word in row
    assert "timestep: 1D" in out and "gradient policy: autograd" in out


def test_info_builds_what_the_class_leaves_open(models, crest):
    status, out, _ = crest("info", "black-bucket")
    assert status == 0
    assert "gradient policy: finite_difference" in out
    assert "as built with the default arguments" in out


def test_info_says_what_it_cannot_build(models, crest):
    status, out, _ = crest("info", "needy")
    assert status == 0
    assert "inputs: depend on the arguments" in out
    assert "cannot be built with the default arguments: TypeError" in out
    assert "outputs" in out.split()


def test_info_of_a_component_that_is_none_names_what_it_is(models, crest, monkeypatch):
    functions = """
        from crest_core.testing.models import TorchBucket
        def ready(): return TorchBucket()
        def wanting(capacity): return TorchBucket(capacity)
    """
    names = ('"cwd", "os:getcwd"', '"date", "datetime:date"', '"ready", "odd.f:ready"', '"wanting", "odd.f:wanting"')
    models.install("odd", models.hook(*names), modules={"f": functions})
    monkeypatch.setenv("CREST_PLUGINS", "odd")
    for name, told in {"cwd": "os:getcwd gives a str", "date": "datetime:date gives a date"}.items():
        status, out, err = crest("info", name)
        assert (status, out) == (2, "")
        assert f"crest: components {name!r} of odd 1.0 is left out: {told}, expected a Component; repair it" in err
    assert "precipitation_flux" in crest("info", "ready")[1]
    status, out, _ = crest("info", "wanting")
    assert status == 0
    assert "odd.f:wanting(capacity)" in out and "cannot be built with the default arguments: TypeError" in out


def test_info_of_other_kinds_shows_arguments(models, crest):
    out = crest("info", "weather")[1]
    assert "weather  (data_sources, models 1.0)" in out
    assert "models.more:weather_of(days: int, seed: int = 1)" in out
    assert "no docstring" in out


def test_info_of_an_unknown_name_lists_near_ones(models, crest):
    status, out, err = crest("info", "buckt")
    assert (status, out) == (2, "")
    assert "crest: 'buckt' is not installed; did you mean 'bucket'" in err
    assert "installed: black-bucket, bucket, lstm, needy, stress, weather" in err


# Errors, help, commands of plugins


def test_an_error_is_one_clean_message_without_traceback(models, crest):
    status, out, err = crest("info", "buckt")
    assert (status, out) == (2, "")
    assert err.startswith("crest: 'buckt' is not installed")
    assert err.count("\n") == 1


def test_a_traceback_is_shown_on_request(models, monkeypatch):
    monkeypatch.setenv("CREST_TRACEBACK", "1")
    with pytest.raises(PluginError, match="'buckt' is not installed"):
        main(["info", "buckt"])


def test_a_word_that_is_no_command_names_the_near_one(models, crest):
    assert crest("lst") == (2, "", "crest: no command 'lst'; did you mean 'list'?\n")
    assert crest("--colour")[0] == 2


@pytest.mark.parametrize("command", ["plan", "run", "schema"])
def test_a_command_of_a_package_that_is_not_there_says_which(models, crest, command):
    hint = f"crest: no command {command!r}; it comes with the package crest-run: pip install crest-run\n"
    assert crest(command, "run.yaml") == (2, "", hint)


def test_a_command_that_is_missing_because_its_plugin_is_broken_comes_with_the_reason(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "models,wreck")
    status, _, err = crest("run", "run.yaml")
    assert status == 2
    assert "OSError('no libfoo')" in err and "no command 'run'" in err


def test_help_teaches_by_example(crest):
    for words in ((), ("--help",)):
        status, out, _ = crest(*words)
        assert status == 0
        for line in ("crest list", "crest info soil-bucket"):
            assert line in out
    for command in ("list", "info"):
        status, out, _ = crest(command, "--help")
        assert status == 0
        assert out.count(f"crest {command}") > 1  # the usage and an example


def test_version_names_the_distribution(crest):
    assert crest("--version")[1].startswith("crest-core 0.")


@pytest.fixture
def commands(models, monkeypatch):
    """A plugin with a function and an app as commands."""
    module = """
        import typer
        from crest_core.errors import ComponentError
        def greet(name: str, loud: bool = False):
            "Greet somebody."
            print(f"hello {name}" + "!" * loud)
        app = typer.Typer()
        @app.command()
        def first(): print("first")
        @app.command()
        def second(): print("second")
        def crash(): raise ComponentError("soil: nan in layer 2")
    """
    hooks = models.hook(
        '"greet", "spoken.words:greet", summary="Greet"',
        '"count", "spoken.words:app", summary="Count"',
        '"mute", "spoken.silence:app"',
        '"crash", "spoken.words:crash"',
        '"list", "spoken.words:greet"',
        kind="cli_commands",
    )
    models.install("spoken", hooks, modules={"words": module})
    monkeypatch.setenv("CREST_PLUGINS", "models,spoken")
    return models


def test_a_plugin_adds_commands_that_are_imported_when_called(commands, crest):
    status, out, _ = crest("--help")
    assert "greet" in out and "count" in out
    assert "spoken.words" not in sys.modules
    assert crest("greet", "Ada", "--loud")[:2] == (0, "hello Ada!\n")
    assert crest("count", "second")[:2] == (0, "second\n")
    out = crest("greet", "--help")[1]
    assert "Usage: crest greet" in out and "Greet somebody." in out


def test_a_plugin_command_that_cannot_be_imported_is_an_error_of_its_own(commands, crest):
    status, _, err = crest("mute")
    assert status == 2
    assert "crest: cli_commands 'mute' of spoken 1.0 is left out: spoken.silence:app gives ModuleNotFoundError" in err
    assert crest("greet", "Ada")[0] == 0


def test_a_failure_of_the_machine_or_model_has_status_1(commands, crest):
    assert crest("crash") == (1, "", "crest: soil: nan in layer 2\n")


def test_a_plugin_cannot_replace_a_command_of_the_core(commands, crest):
    assert "cli_commands" in crest("list")[1]


def test_every_public_name_is_there_and_importing_the_package_is_light():
    code = (
        "import sys, crest_core as crest\n"
        "assert not {'torch', 'numpy', 'xarray'} & set(sys.modules)\n"
        "assert all(getattr(crest, name) is not None for name in dir(crest))\n"
        "from crest_core import hookimpl, registry, simulate\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
