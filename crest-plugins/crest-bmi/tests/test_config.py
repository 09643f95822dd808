"""The configuration file of a graph as a BMI model: what it gives, and what is wrong with it."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from crest_bmi import GraphBmi, as_bmi

from crest_core import ComponentError, CrestError, Graph, SafetensorsStore, StateError
from crest_core.testing import TorchBucket

FORCING = {"precipitation": 3.0, "evapotranspiration": 1.0}


def begun(kind, config=""):
    model = kind()
    model.initialize(str(config))
    return model


def bucket(**options):
    return as_bmi(Graph({"bucket": TorchBucket()}), **{"forcing": FORCING, "dtype": torch.float64} | options)


def value(model, name):
    return model.get_value(name, np.empty(model.get_var_nbytes(name) // model.get_var_itemsize(name)))


def test_a_configuration_gives_places_forcing_and_restart(tmp_path):
    state = {"bucket.storage": torch.tensor([40.0, 60.0], dtype=torch.float64)}
    SafetensorsStore(tmp_path / "restart.safetensors").save(state, {"time": "2001-01-03"})
    config = tmp_path / "model.yaml"
    config.write_text(
        "grid: {lat: [50, 51], lon: [8, 9]}\nforcing: {precipitation: [0, 8], evapotranspiration: 1}\n"
        "restart: restart.safetensors\ndtype: float64\nstart: 2001-01-03\n"
    )
    model = begun(bucket(forcing=None), config)
    assert value(model, "state.bucket.storage").tolist() == [40.0, 60.0]
    model.update()
    assert value(model, "precipitation").tolist() == [0.0, 8.0]
    config.write_text("cells: 3\nrestart: restart.safetensors\ndtype: float64")
    with pytest.raises(StateError, match=r"does not fit the graph: bucket.storage: expected \(\(3,\), torch.float64\)"):
        begun(bucket(), config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cels: 3", r"cels: Extra inputs are not permitted; keys: component, with, weights"),
        ("cells: 0", r"cells: Input should be greater than 0"),
        ("cells: !!python/name:os.system", r"cannot be read: could not determine a constructor"),
        ("cells: true", r"cells: Input should be a valid integer"),
        ("forcing: {precipitation: true}", r"forcing.precipitation.float: Input should be a valid number"),
        ("forcing: {precipitation: '3'}", r"forcing.precipitation.float: Input should be a valid number"),
        ("grid: {lat: [true], lon: [0]}", r"grid.lat.0: Input should be a valid number"),
        ("with: {a: 1}", r"the key with holds arguments of a component; name one \(component: NAME\)"),
        ("- 3", r"file: Input should be a valid dictionary"),
        ("grid: {lat: [100], lon: [0]}", r"lat must be a list of degrees"),
        ("component: no-such-model", r"components: 'no-such-model' is not installed"),
        ("restart: absent.safetensors", r"restart .*absent.safetensors: no such file"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(tmp_path, text, message):
    config = tmp_path / "model.yaml"
    config.write_text(text)
    with pytest.raises(CrestError, match=message):
        begun(bucket(), config)


def test_a_model_without_graph_asks_for_one(tmp_path):
    with pytest.raises(ComponentError, match=r"needs a graph: name one in the configuration \(component: NAME\)"):
        begun(GraphBmi)
    with pytest.raises(ComponentError, match=r"configuration .*absent.yaml cannot be read: .*No such file"):
        begun(GraphBmi, tmp_path / "absent.yaml")


def test_a_configuration_gives_weights_and_a_registered_component(tmp_path):
    SafetensorsStore(tmp_path / "w.safetensors").save(TorchBucket(capacity=50.0).state_dict(), {})
    (tmp_path / "model.yaml").write_text("weights: w.safetensors")
    plain, trained = begun(as_bmi(TorchBucket(), forcing=FORCING)), TorchBucket(capacity=50.0)
    loaded = begun(as_bmi(TorchBucket(), forcing=FORCING), tmp_path / "model.yaml")
    own = begun(as_bmi(trained, forcing=FORCING))
    for model in (plain, loaded, own):
        model.update()
    assert value(loaded, "runoff") == value(own, "runoff") != value(plain, "runoff")


PLUGIN = """
from crest_core.hookspecs import hookimpl
@hookimpl
def register_components(register):
    register("bucket", "crest_core.testing:TorchBucket")
"""
PROGRAM = """
from crest_bmi import GraphBmi
model = GraphBmi()
model.initialize("model.yaml")
model.update()
print(model.get_component_name(), model.get_value_ptr("runoff").shape)
GraphBmi().initialize("wrong.yaml")
"""


def test_the_class_alone_runs_what_its_configuration_names(tmp_path):
    metadata = tmp_path / "demo-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[crest.plugins]\ndemo = demo_plugin\n")
    (tmp_path / "demo_plugin.py").write_text(PLUGIN)
    (tmp_path / "model.yaml").write_text(
        "component: bucket\nwith: {capacity: 80.0}\ncells: 3\nforcing: {precipitation: 1, evapotranspiration: 1}\n"
    )
    (tmp_path / "wrong.yaml").write_text("component: bucket\nwith: {a: 1}\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "CREST_PLUGINS": "demo"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "CREST model (3,)\n", done.stderr
    assert "ComponentError: configuration: component 'bucket' with {'a': 1} raised TypeError: " in done.stderr
