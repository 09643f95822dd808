"""The command `crest`, as its users see it: exit status, standard output, standard error."""

import json
import os
import resource
import subprocess
import sys
from hashlib import sha256

import pytest

from crest_core.cli import main
from crest_core.errors import PluginError
from crest_core.plugins import registry


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
    for word in ("components", "A bucket of water", "samples", "1.0"):
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
    monkeypatch.setenv("CREST_PLUGINS", "samples,wreck")
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
    monkeypatch.setenv("CREST_PLUGINS", "samples,wreck")
    rows = json.loads(crest("list", "--kind", "data_sources", "--json")[1])
    assert [row["name"] for row in rows] == ["weather", "wreck"]
    status, _, err = crest("list", "--kind", "component")
    assert status == 2
    assert "crest: kind 'component' is unknown; did you mean 'components'?" in err


def test_list_load_imports_every_target_and_reports_what_fails(models, crest, monkeypatch):
    assert crest("list", "--load")[0] == 0
    source = models.hook('"dud", "absent_library:Dud"')
    models.install("duds", source)
    monkeypatch.setenv("CREST_PLUGINS", "samples,duds")
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
    monkeypatch.setenv("CREST_PLUGINS", "samples,chatty")
    status, out, err = crest("list", "--load", "--json")
    assert status == 0
    assert "chatty-model" in {row["name"] for row in json.loads(out)}
    assert err.split() == ["import", "hook", "model"]


def test_list_without_plugins_says_so(models, crest, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "")
    assert "nothing is installed; pip install a plugin" in crest("list")[1]


def test_list_says_that_autoload_is_off(models, crest, monkeypatch):
    monkeypatch.setenv("CREST_DISABLE_PLUGIN_AUTOLOAD", "1")
    told = "CREST_DISABLE_PLUGIN_AUTOLOAD is set: no plugins are read but those that CREST_PLUGINS names\n"
    status, out, err = crest("list", "--json")
    assert (status, err) == (0, told)
    assert "bucket" in {row["name"] for row in json.loads(out)}
    monkeypatch.delenv("CREST_PLUGINS")
    registry.cache_clear()
    assert crest("list") == (0, "nothing is installed; pip install a plugin\n", told)
    status, _, err = crest("plan", "run.yaml")
    assert status == 2
    assert "no command 'plan'; it comes with the package crest-run" in err and told in err


def test_list_verbose_shows_file_and_hash_of_the_plugin(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "samples,wreck,absent")
    rows = {row["name"]: row for row in json.loads(crest("list", "--verbose", "--json")[1])}
    keys = ["name", "kind", "summary", "distribution", "version", "source", "sha256", "error"]
    assert all(list(row) == keys for row in rows.values())
    for name, package in {"bucket": "samples", "lstm": "samples", "wreck": "wreck"}.items():
        file = models.path / package / "_plugin.py"
        assert (rows[name]["source"], rows[name]["sha256"]) == (str(file), sha256(file.read_bytes()).hexdigest())
    assert (rows["absent"]["source"], rows["absent"]["sha256"]) == ("", "")
    out = crest("list", "--verbose")[1]
    assert out.split()[:7] == keys[:7]
    (row,) = [line for line in out.splitlines() if line.startswith("bucket")]
    assert row.split()[-2:] == [rows["bucket"]["source"], rows["bucket"]["sha256"]]


@pytest.mark.parametrize("words", [["list"], ["list", "--verbose"]])
def test_list_imports_nothing_heavy_and_is_fast(models, words):
    code = (
        f"import sys\nfrom crest_core.cli import main\ntry:\n    main({words})\n"
        "except SystemExit:\n    print(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(models.path), os.environ.get("PYTHONPATH", "")])}
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


def test_broken_plugins_are_warned_of_by_the_other_commands(commands, crest, monkeypatch):
    commands.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "spoken,wreck")
    status, out, err = crest("greet", "Ada")
    assert (status, out) == (0, "hello Ada\n")
    assert "crest: warning: plugin 'wreck' of wreck 1.0 is left out: OSError('no libfoo')" in err
    assert "warning" not in out


# Errors, help, commands of plugins


def test_an_error_is_one_clean_message_without_traceback(models, crest):
    status, out, err = crest("list", "--kind", "model")
    assert (status, out) == (2, "")
    assert err.startswith("crest: kind 'model' is unknown")
    assert err.count("\n") == 1


def test_a_traceback_is_shown_on_request(models, monkeypatch):
    monkeypatch.setenv("CREST_TRACEBACK", "1")
    with pytest.raises(PluginError, match="kind 'model' is unknown"):
        main(["list", "--kind", "model"])


def test_a_word_that_is_no_command_names_the_near_one(models, crest):
    assert crest("lst") == (2, "", "crest: no command 'lst'; did you mean 'list'?\n")
    assert crest("--colour")[0] == 2


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("info", "crest-run"),
        ("plan", "crest-run"),
        ("run", "crest-run"),
        ("schema", "crest-run"),
        ("rerun", "crest-run"),
        ("verify", "crest-run"),
        ("data", "crest-data"),
        ("plot", "crest-plot"),
        ("store", "crest-store"),
        ("new", "crest-templates"),
        ("add", "crest-models"),
        ("remove", "crest-models"),
    ],
)
def test_a_command_of_a_package_that_is_not_there_says_which(models, crest, command, package):
    hint = f"crest: no command {command!r}; it comes with the package {package}\n"
    assert crest(command, "run.yaml") == (2, "", hint)


def test_a_command_of_the_core_that_is_left_out_says_how_to_get_it_back(models, crest):
    hint = "crest: no command 'check'; it comes with crest-core itself: install it anew, or add it to CREST_PLUGINS\n"
    assert crest("check", "soil-bucket") == (2, "", hint)


def test_a_command_that_is_missing_because_its_plugin_is_broken_comes_with_the_reason(models, crest, monkeypatch):
    models.install("wreck", "raise OSError('no libfoo')")
    monkeypatch.setenv("CREST_PLUGINS", "samples,wreck")
    status, _, err = crest("run", "run.yaml")
    assert status == 2
    assert "OSError('no libfoo')" in err and "no command 'run'" in err


def test_help_teaches_by_example(crest):
    for words in ((), ("--help",)):
        status, out, _ = crest(*words)
        assert status == 0
        for line in ("crest list", "crest info soil-bucket"):
            assert line in out
    status, out, _ = crest("list", "--help")
    assert status == 0
    assert out.count("crest list") > 1  # the usage and an example


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
    monkeypatch.setenv("CREST_PLUGINS", "samples,spoken")
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
