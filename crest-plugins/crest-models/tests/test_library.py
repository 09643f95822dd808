"""crest add and remove: whole or absent, listed in no time, and one broken model leaves the others alone."""

import json
import subprocess
import sys

import pytest
from crest_models import ModelError, add_model, remove_model

from crest_core import PluginError
from crest_core.plugins import registry


def names():
    return [entry.name for entry in registry().of_kind("components") if entry.target.startswith("crest_models.")]


def test_add_info_and_remove_from_the_command_line(crest, folder):
    code, out, _ = crest("add", folder)
    assert code == 0 and "added as 'river'" in out and "CC-BY-4.0" in out
    code, out, _ = crest("list", "--json", "--kind", "components")
    assert ("river", "Runoff from rain and warmth") in [(row["name"], row["summary"]) for row in json.loads(out)]
    code, out, _ = crest("info", "river")
    assert "trained on  synthetic weather" in out and "NSE of 2003: 0.5" in out and "lstm_hidden" in out
    assert crest("remove", "river")[0] == 0 and names() == []


def test_listing_added_models_imports_nothing_heavy(folder, shelf):
    add_model(folder)
    code = "import sys; from crest_core.plugins import registry; r = registry()\n" \
        "assert 'river' in {e.name for e in r.entries}\n" \
        "print(*{'torch', 'pydantic', 'yaml', 'xarray', 'crest_models.schema'} & set(sys.modules))"  # fmt: skip
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.strip() == "", result.stderr + result.stdout


def test_only_the_two_files_are_copied(folder, shelf):
    (folder / "setup.py").write_text("raise SystemExit")
    add_model(folder)
    assert sorted(file.name for file in shelf.glob("*/*")) == ["model.yaml", "weights.safetensors"]
    assert [file.name for file in shelf.iterdir() if file.name.startswith(".")] == []


def test_a_broken_folder_leaves_nothing_behind(edit, shelf):
    with pytest.raises(ModelError):
        add_model(edit("hidden: 6", "hidden: 7"))
    assert not shelf.exists() and names() == []


def test_a_name_is_added_once_unless_forced(folder, edit, shelf):
    add_model(folder)
    with pytest.raises(ModelError, match=r"'river' was added before \(.*\); --force replaces it"):
        add_model(folder)
    edit("summary: Runoff from", "summary: More runoff from")
    assert add_model(folder, force=True) == "river"
    assert len(list(shelf.iterdir())) == 2  # the entry and one folder
    assert add_model(folder, name="brook") == "brook" and names() == ["brook", "river"]
    assert {entry.summary for entry in registry().of_kind("components") if entry.name in names()} == {
        "More runoff from rain and warmth"
    }


def test_a_model_never_takes_the_place_of_a_registered_component(folder, shelf, monkeypatch):
    from crest_core.plugins import Entry, Registry

    theirs = Registry((Entry("river", "components", "", "river-package", "2.0", "river:River"),))
    monkeypatch.setattr("crest_models.library.registry", lambda: theirs)
    with pytest.raises(
        ModelError, match=r"model.yaml:2: name: the component 'river' of river-package 2.0 has this name"
    ):
        add_model(folder, force=True)
    with pytest.raises(ModelError, match="no model 'river' was added; it belongs to river-package 2.0"):
        remove_model("river")


@pytest.mark.parametrize("name", ["../river", "River", "a_b", "", "x" * 65])
def test_odd_names_are_refused(folder, shelf, name):
    with pytest.raises(ModelError, match=r"expected \[a-z\]\[a-z0-9-\]\*"):
        add_model(folder, name=name)
    with pytest.raises(ModelError, match="no model .* was added; added: none"):
        remove_model(name)


def test_a_model_that_was_changed_or_vanished_says_so_and_others_work(folder, shelf):
    for name in ("river", "brook", "creek"):
        add_model(folder, name=name)
    (changed,) = shelf.glob("river.*/model.yaml")
    changed.write_text(changed.read_text() + "# changed\n")
    (gone,) = shelf.glob("brook.*/weights.safetensors")
    gone.unlink()
    with pytest.raises(ModelError, match="added model 'river' cannot be loaded: .* expected sha256 .* was changed"):
        registry().load("components", "river")()
    with pytest.raises(
        ModelError, match="added model 'brook' cannot be loaded: .*No such file(.|\n)*crest remove brook"
    ):
        registry().load("components", "brook")()
    assert registry().load("components", "creek")().outputs[0].name == "runoff"


def test_a_damaged_entry_is_listed_with_its_reason_and_can_be_removed(folder, shelf, recwarn):
    add_model(folder)
    add_model(folder, name="brook")
    (shelf / "river.json").write_text("{")
    (shelf / "brook.json").write_text((shelf / "brook.json").read_text().replace('"brook.', '"../brook.'))
    registry.cache_clear()
    assert names() == ["brook", "river"]
    for name in names():
        with pytest.raises(ModelError, match=f"the entry .*{name}.json of the added model '{name}' cannot be read"):
            registry().load("components", name)()
        remove_model(name)
    assert names() == []


def test_a_name_that_was_never_added_is_no_attribute(shelf):
    import crest_models.added

    with pytest.raises(AttributeError, match="no such model was added"):
        crest_models.added.model_none  # noqa: B018
    with pytest.raises(PluginError, match="'none' is not installed"):
        registry().load("components", "none")
