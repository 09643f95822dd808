"""Plugins: discovery over metadata on disk; each failure stays with the plugin that owns it."""

import subprocess
import sys

import pytest

from crest_core.errors import PluginError
from crest_core.plugins import CREST_API, KINDS, Entry, PluginWarning, Registry, discover


@pytest.fixture
def site(site):
    """A site with one plugin that works."""
    site.good = site.hook('"good-model", "good.model:Model", summary="A model that works"')
    site.install("good", site.good, modules={"model": "class Model: pass"})
    return site


def found(site) -> Registry:
    return discover(path=[str(site.path)])


def broken_registry(site, *words: str) -> Registry:
    """Discover, expect one warning with these words, and check that the good plugin is there."""
    with pytest.warns(PluginWarning) as caught:
        registry = found(site)
    assert len(caught) == 1
    for word in words:
        assert word in str(caught[0].message)
    assert registry.load("components", "good-model").__name__ == "Model"
    return registry


def test_a_registered_name_has_summary_distribution_and_version(site):
    (entry,) = found(site).entries
    assert (entry.kind, entry.name, entry.summary) == (
        "components",
        "good-model",
        "A model that works",
    )
    assert (entry.distribution, entry.version, entry.error) == ("good", "1.0", "")


def test_a_target_is_imported_on_first_use_only(site):
    registry = found(site)
    assert "good.model" not in sys.modules
    assert registry.load("components", "good-model") is sys.modules["good.model"].Model


def test_every_kind_has_a_hook(site):
    source = "".join(site.hook(f'"thing-{i}", "math:pi"', kind=kind) for i, kind in enumerate(KINDS))
    site.install("many", source)
    registry = found(site)
    assert len(KINDS) == 12
    for i, kind in enumerate(KINDS):
        assert registry.load(kind, f"thing-{i}") == pytest.approx(3.14159, abs=1e-5)


def test_a_plugin_that_raises_at_import_is_listed_and_the_others_go_on(site):
    site.install("bad-one", "raise RuntimeError('no licence file')", version="2.1")
    registry = broken_registry(
        site,
        "plugin 'bad_one' of bad-one 2.1 is left out",
        "RuntimeError('no licence file')",
        "pip uninstall bad-one",
        "CREST_PLUGINS",
    )
    (entry,) = [entry for entry in registry.entries if entry.error]
    assert (entry.kind, entry.name, entry.version) == ("plugin", "bad_one", "2.1")


def test_a_plugin_that_exits_at_import_does_not_end_the_program(site):
    site.install("quitter", "raise SystemExit(3)")
    broken_registry(site, "quitter", "SystemExit(3)")


def test_no_exception_of_a_plugin_ends_the_program_but_an_interrupt_does(site):
    site.install("oddity", "class Odd(BaseException): pass\nraise Odd('at import')")
    broken_registry(site, "oddity", "Odd('at import')")
    site.install("impatient", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        found(site)


def test_a_target_that_raises_no_ordinary_exception_names_its_plugin(site):
    modules = {"odd": "raise GeneratorExit('odd')", "stop": "raise KeyboardInterrupt"}
    site.install("lazy", site.hook('"odd", "lazy.odd:x"', '"stop", "lazy.stop:x"'), modules=modules)
    with pytest.raises(PluginError, match="'odd' of lazy 1.0 is left out: lazy.odd:x gives GeneratorExit"):
        found(site).load("components", "odd")
    with pytest.raises(KeyboardInterrupt):
        found(site).load("components", "stop")


def test_a_missing_plugin_module_is_listed_with_its_name(site):
    site.install("hollow", None)
    broken_registry(site, "plugin 'hollow' of hollow 1.0", "No module named 'hollow._plugin'")


def test_an_entry_point_that_is_no_module_is_named(site):
    site.install("crooked", site.good, point="not a module!")
    broken_registry(site, "invalid format", "'not a module!:'")


def test_a_hook_that_raises_keeps_what_the_other_hooks_registered(site):
    source = site.hook('"half", "math:pi"') + site.hook("1 / 0", kind="metrics")
    site.install("halfway", source)
    registry = broken_registry(site, "plugin 'halfway' of halfway 1.0", "ZeroDivisionError")
    assert registry.load("components", "half") > 3


def test_an_unknown_hook_is_named_with_the_known_ones(site):
    source = site.hook('"x", "math:pi"', kind="widgets") + site.hook('"y", "math:pi"')
    site.install("wide", source)
    registry = broken_registry(site, "unknown hook 'register_widgets'", "kinds: components, backends")
    assert registry.load("components", "y") > 3


def test_a_hook_that_asks_for_unknown_arguments_is_named(site):
    site.install("greedy", "@hookimpl\ndef register_metrics(register, config): pass")
    broken_registry(site, "plugin 'greedy'", "register_metrics", "config")


def test_a_plugin_without_decorated_hooks_says_so(site):
    site.install("silent", "def register_components(register): register('x', 'math:pi')")
    broken_registry(site, "it registers nothing", "hookimpl")


@pytest.mark.parametrize("name", ["Soil", "soil_bucket", "1soil", "", "soil bucket"])
def test_a_name_must_be_lower_case_with_hyphens(site, name):
    site.install("misnamed", site.hook(f'"{name}", "math:pi"'))
    broken_registry(site, f"{name!r}, 'math:pi': expected a name [a-z][a-z0-9-]*, such as 'soil-bucket'")


@pytest.mark.parametrize("target", ["math", "math.pi", "math:", ":pi", "ma th:pi", "os:system()"])
def test_a_target_must_be_module_colon_object(site, target):
    site.install("missed", site.hook(f'"aim", "{target}"', '"true-aim", "math:pi"'))
    registry = broken_registry(site, f"'aim', {target!r}: expected", "a target 'package.module:Object'")
    with pytest.raises(PluginError, match="components 'aim' of missed 1.0 is left out"):
        registry.load("components", "aim")
    assert registry.load("components", "true-aim") > 3


def test_a_name_claimed_twice_names_both_distributions(site):
    site.install("first", site.hook('"twin", "math:pi"'))
    site.install("second", site.hook('"twin", "math:e"'), version="3.0")
    with pytest.warns(PluginWarning, match="claimed by") as caught:
        registry = found(site)
    assert len(caught) == 2
    with pytest.raises(PluginError) as error:
        registry.load("components", "twin")
    for word in ("first 1.0", "second 3.0", "keep one", "pip uninstall", "CREST_PLUGINS"):
        assert word in str(error.value)
    assert registry.load("components", "good-model")


def test_one_name_may_be_used_in_two_kinds(site):
    source = site.hook('"same", "math:pi"') + site.hook('"same", "math:e"', kind="metrics")
    site.install("pair", source)
    registry = found(site)
    assert registry.load("components", "same") > registry.load("metrics", "same")


def test_a_plugin_that_claims_a_name_twice_is_told(site):
    site.install("echo", site.hook('"again", "math:pi"', '"again", "math:e"'))
    with pytest.warns(PluginWarning, match="claimed by echo 1.0 and by echo 1.0"):
        found(site)


def test_a_target_that_cannot_be_imported_names_plugin_and_reason(site):
    source = site.hook('"heavy", "absent_library.net:Net"', '"gone", "math:tau_squared"')
    site.install("loader", source)
    registry = found(site)
    with pytest.raises(PluginError) as error:
        registry.load("components", "heavy")
    for word in ("'heavy' of loader 1.0", "absent_library.net:Net gives ModuleNotFoundError"):
        assert word in str(error.value)
    assert "repair it, or: pip uninstall loader" in str(error.value)
    with pytest.raises(PluginError, match="AttributeError.*tau_squared"):
        registry.load("components", "gone")


def test_an_unknown_name_lists_near_and_installed_names(site):
    with pytest.raises(PluginError) as error:
        found(site).load("components", "good-modle")
    assert "'good-modle' is not installed; did you mean 'good-model'?" in str(error.value)
    assert "installed: good-model" in str(error.value)
    with pytest.raises(PluginError, match="metrics: 'nse' is not installed; installed: none; `crest list` shows"):
        found(site).load("metrics", "nse")


def test_an_unknown_kind_lists_the_kinds(site):
    with pytest.raises(PluginError, match="kind 'component' is unknown; did you mean 'components'"):
        found(site).load("component", "good-model")


def test_a_distribution_found_twice_counts_once(site, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    site.install("good", site.good, version="0.9", path=other)
    registry = discover(path=[str(site.path), str(other)])
    assert [entry.version for entry in registry.entries] == ["1.0"]


def test_the_allow_list_limits_plugins_by_entry_point_or_distribution(site, monkeypatch):
    site.install("model-two", site.hook('"two", "math:e"'))
    site.install("bad-three", "raise RuntimeError")
    for listed, names in {"model_two": ["two"], "good, model-two": ["good-model", "two"]}.items():
        monkeypatch.setenv("CREST_PLUGINS", listed)
        assert [entry.name for entry in found(site).entries] == names


def test_the_allow_list_reports_what_is_not_installed(site, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "good,absent")
    broken_registry(site, "CREST_PLUGINS names 'absent', which is not installed")


def test_an_empty_allow_list_reads_no_plugin(site, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "")
    assert found(site).entries == ()


@pytest.mark.parametrize("value", ["1", "yes", "True", "on"])
def test_without_autoload_only_the_allow_list_is_read(site, monkeypatch, value):
    site.install("bad-three", "raise RuntimeError")
    monkeypatch.setenv("CREST_DISABLE_PLUGIN_AUTOLOAD", value)
    assert found(site).entries == ()
    monkeypatch.setenv("CREST_PLUGINS", "good")
    assert [entry.name for entry in found(site).entries] == ["good-model"]


@pytest.mark.parametrize("value", ["", "0", " ", "false", "No", "off"])
def test_autoload_is_off_only_where_it_is_switched_off(site, monkeypatch, value):
    monkeypatch.setenv("CREST_DISABLE_PLUGIN_AUTOLOAD", value)
    assert [entry.name for entry in found(site).entries] == ["good-model"]


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("METADATA", b"Metadata-Version: 2.1\nVersion: 1.0\n", "METADATA has no Name"),
        ("METADATA", b"Name: \xff\n", "UnicodeDecodeError"),
        ("entry_points.txt", b"[crest.plugins]\nno equals sign\n", "TypeError"),
        ("entry_points.txt", b"[crest.plugins]\n\xff = a\n", "UnicodeDecodeError"),
    ],
)
def test_a_distribution_with_damaged_metadata_is_told_by_its_folder(site, monkeypatch, file, content, reason):
    site.install("torn-one", site.hook('"torn", "math:pi"'))
    folder = site.path / "torn_one-1.0.dist-info"
    (folder / file).write_bytes(content)
    broken_registry(site, "plugin 'torn_one' of torn_one", f"the metadata in {folder} cannot be read", reason)
    monkeypatch.setenv("CREST_PLUGINS", "good")
    assert [entry.name for entry in found(site).entries] == ["good-model"]


def test_an_exception_whose_repr_fails_stays_with_its_plugin(site):
    modules = {"late": "from mute._plugin import Mute\nraise Mute"}
    mute = "class Mute(Exception):\n    def __repr__(self): raise RuntimeError('mute')\n"
    site.install(
        "mute",
        mute + site.hook('"late", "mute.late:x"') + "@hookimpl\ndef register_metrics(): raise Mute\n",
        modules=modules,
    )
    registry = broken_registry(site, "plugin 'mute' of mute 1.0 is left out: Mute, whose repr fails")
    with pytest.raises(PluginError, match="mute.late:x gives Mute, whose repr fails"):
        registry.load("components", "late")


def test_warning_filters_of_a_plugin_do_not_stop_the_others(site):
    site.install("strict", "import warnings\nwarnings.filterwarnings('error')\n" + site.hook('"ok", "math:pi"'))
    site.install("wrong", "raise RuntimeError('wrong')")
    assert broken_registry(site, "plugin 'wrong' of wrong 1.0").load("components", "ok") > 3


def test_control_characters_of_names_summaries_and_errors_are_escaped(site):
    site.install("loud", site.hook(r'"loud", "math:pi", summary="\x1b[2Jred\u202e\x07"', r'"a\x1b[2J", "math:pi"'))
    registry = broken_registry(site, r"components 'a\\x1b[2J' of loud 1.0")
    (entry,) = [entry for entry in registry.entries if entry.name == "loud"]
    assert entry.summary == r"\x1b[2Jred\u202e\x07"
    site.install(
        "rude",
        r"""
        class Rude(Exception):
            def __repr__(self): return "\x1b[2J"
        raise Rude
    """,
    )
    with pytest.warns(PluginWarning):
        entries = found(site).entries
    assert "\x1b" not in "".join(f"{entry.name}{entry.summary}{entry.error}" for entry in entries)
    assert any(r"'rude' of rude 1.0 is left out: \x1b[2J" in entry.error for entry in entries)


@pytest.mark.parametrize("declared", ["'1'", "'1.7'", "1"])
def test_a_plugin_of_the_same_major_version_of_the_api_is_read(site, declared):
    site.install("fits", f"CREST_API = {declared}\n" + site.hook('"fit", "math:pi"'))
    assert CREST_API == "1"
    assert found(site).load("components", "fit") > 3


@pytest.mark.parametrize("declared", ["2", "0.9", "next"])
def test_a_plugin_of_another_major_version_of_the_api_is_left_out(site, declared):
    site.install("later", f"CREST_API = {declared!r}\n" + site.hook('"late", "math:pi"'), version="3.1")
    registry = broken_registry(
        site,
        "plugin 'later' of later 3.1 is left out: ",
        f"it wants CREST_API {declared!r}, and this crest-core has '1'",
        "take releases that fit each other: pip install -U crest-core later",
        "or: pip uninstall later",
    )
    with pytest.raises(PluginError, match="'late' is not installed"):
        registry.load("components", "late")


def test_the_file_of_a_plugin_is_found_without_importing_its_package(site):
    site.install("heavy", site.hook('"x", "math:pi"'), modules={"__init__": "raise RuntimeError('imported')"})
    assert Entry("x", "metrics", module="heavy._plugin").source == str(site.path / "heavy" / "_plugin.py")
    assert "heavy" not in sys.modules
    for unknown in ("", "absent._plugin", "heavy.absent", "heavy._plugin.deeper", "not a module!", "sys"):
        entry = Entry("x", "metrics", module=unknown)
        assert (entry.source, entry.sha256) == ("", "")


def test_importing_plugins_reads_no_plugin_and_nothing_heavy():
    code = "import sys, crest_core.plugins; print({m.split('.')[0] for m in sys.modules})"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    for heavy in ("torch", "numpy", "xarray", "pint", "pandas", "pydantic", "typer", "rich"):
        assert f"'{heavy}'" not in modules
