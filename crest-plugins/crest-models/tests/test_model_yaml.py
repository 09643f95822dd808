"""Faults of model.yaml are told by file, line and key, all at once."""

import pytest
from crest_models import ModelError, load_model


def told(folder):
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("crest_model: 1", "crest_model: 2", "crest_model: expected 1, got 2"),
        ("name: river", "name: River", "name: String should match pattern"),
        ("version: '1.0'", "version: 1.0", "version: expected a valid string, got 1.0"),
        ("licence: CC-BY-4.0", "licence: free, but not for war", "licence: expected an SPDX licence such as"),
        ("licence: CC-BY-4.0\n", "", "licence: missing key"),
        ("licence:", "license:", "license: unknown key; allowed: "),
        ("licence:", "license:", "did you mean 'licence'?"),
        ("backend: torch-lstm", "backend: pickle", "backend: no backend 'pickle' for model folders; one of torch-lstm"),
        ("backend: torch-lstm", "backend: torch-lstn", "did you mean 'torch-lstm'"),
        ("hidden: 6", "hidden: many", "options.hidden: expected a valid integer, got 'many'"),
        ("hidden: 6", "hiden: 6", "options.hiden: unknown key; allowed: hidden, layers, dropout, prefix"),
        ("hidden: 6, layers: 1", "hidden: 6, layers: 100000", "options.layers: expected less than or equal to 64"),
        ("weights.safetensors", "weights.pt", "weights.file: the backend torch-lstm reads .safetensors files"),
        ("timestep: 1D", "timestep: monthly", "timestep: timestep 'monthly' is not a whole number"),
        ("timestep: 1D", "timestep: 9999999999999D", "timestep: timestep '9999999999999D' is not a whole number"),
        ("name: warmth", "name: rain", "inputs.1.name: the field 'rain' is declared twice"),
        ("units: degC, standard", "unit: degC, standard", "inputs.1.units: missing key"),
        ("units: degC, standard", "units: C, standard", "inputs.1.units: units 'C': 'C' is ambiguous or no unit"),
        ("dim_sizes: {}", "dim_sizes: {layer: 0}", "dim_sizes.layer: expected greater than or equal to 1, got 0"),
        ("dim_sizes: {}", "layers: {soil: [[0, 1]]}", "layers.soil: expected as many depth ranges as dim_sizes"),
        ("dim_sizes: {}", "{dim_sizes: 1}", "not valid YAML"),
        ("dim_sizes: {}", "dim_sizes: {z: 1}\nlayers: {z: [[1, 0.5]]}", "layers.z: expected depths [top, bottom] in m"),
        ("std: 7.0", "std: 0", "scaling.warmth.std: expected greater than 0, got 0"),
        ("std: 7.0", "std: .nan", "scaling.warmth.std: expected a finite number, got nan"),
        ("mean: 8.0", "mean: .inf", "scaling.warmth.mean: expected a finite number, got inf"),
        ("  warmth: {", "  warm: {", "scaling: missing key 'warmth': statistics of the field in inputs"),
        ("  warmth: {", "  warm: {", "scaling.warm: no field of that name among inputs and outputs; did"),
        ("std: 7.0, units: degC", "std: 7.0, units: K", "'K' for a field in 'degC'; they can be converted, but not in"),
        ("std: 7.0, units: degC", "std: 7.0, units: mm", "'mm' cannot belong to a field in 'degC'"),
        ("['2001-01-01', '2003-01-01']", "[2001, soon]", "training.period.0: expected a valid string, got 2001"),
        ("['2001-01-01', '2003-01-01']", "[2001-01-01, soon]", "training.period: "),
        ("dim_sizes: {}", "states: [{name: h, units: '1'}]", "states: the backend torch-lstm makes its own maps"),
        ("dim_sizes: {}", "input_maps: [{name: x, fields: [rain]}]", "take the key input_maps out"),
        ("dim_sizes: {}", "input_maps: [{name: x, fields: [rain], pattern: a b}]", "TensorMap x: pattern 'a b' is not"),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_line_and_key(edit, old, new, words):
    folder = edit(old, new)
    message = told(folder)
    assert words in message and f"{folder}/model.yaml:" in message


def test_statistics_in_other_units_say_how_to_convert(edit):
    message = told(edit("std: 7.0, units: degC", "std: 7.0, units: K"))
    assert "write them in 'degC' (value - 273.15)" in message


def test_units_that_mean_the_same_are_one(edit):
    assert load_model(edit("std: 7.0, units: degC", "std: 7.0, units: degrees_Celsius")).timestep == "1D"


def test_the_line_is_the_one_of_the_key(edit):
    folder = edit("std: 7.0", "std: -1")
    line = next(i for i, row in enumerate((folder / "model.yaml").read_text().splitlines(), 1) if "std: -1" in row)
    assert told(folder).startswith(f"{folder}/model.yaml:{line}: scaling.warmth.std:")


def test_all_faults_are_told_at_once_in_the_order_of_lines(edit):
    edit("timestep: 1D", "timestep: monthly")
    edit("licence: CC-BY-4.0", "licence: ''")
    rows = told(edit("name: river", "name: 1")).splitlines()
    assert [row.split(": ")[1] for row in rows] == ["name", "timestep", "licence"]


def test_a_backend_that_is_not_installed_is_told_with_the_line_for_pip(edit, monkeypatch):
    from crest_core.plugins import registry

    monkeypatch.setenv("CREST_PLUGINS", "crest-models")
    registry.cache_clear()
    try:
        assert "the backend 'torch-lstm' is not installed; pip install crest-torch" in told(edit("river", "river"))
    finally:
        registry.cache_clear()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert "no such folder; expected one with model.yaml" in told(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "model.yaml cannot be read: No such file" in told(tmp_path / "empty")
