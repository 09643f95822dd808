"""ONNX and Keras files in model folders: same numbers, and what is hostile in them is refused with line and key."""

import hashlib
import os

import onnx
import pytest
import torch
from crest_keras.library import keras_library
from crest_models import ModelError, add_model, load_model
from crest_onnx import export_onnx

from crest_core import Sizes
from crest_core.plugins import registry

HEAD = """\
crest_model: 1
name: river
version: "1"
summary: Runoff from rain and warmth
backend: {backend}
options: {options}
weights: {{file: {file}, sha256: {sha256}}}
timestep: 1D
inputs:
  - {{name: rain, units: mm day-1, standard_name: precipitation_flux}}
  - {{name: warmth, units: degC, standard_name: air_temperature}}
outputs:
  - {{name: runoff, units: mm day-1, standard_name: runoff_flux}}
input_maps:
  - {{name: x, fields: [rain, warmth], pattern: "{pattern}"}}
output_maps:
  - {{name: y, fields: [runoff], pattern: "{pattern}"}}
scaling:
  rain: {{mean: 2.5, std: 5.0, units: mm day-1}}
  warmth: {{mean: 8.0, std: 7.0, units: degC}}
  runoff: {{mean: 1.0, std: 2.0, units: mm day-1}}
training: {{data: synthetic weather, period: [2001-01-01, 2003-01-01]}}
licence: CC-BY-4.0
citation: A report of 2026
"""
STATES = """
states:
  - {name: h, units: "1", dims: [layer, hidden, cell], cell_methods: "time: point"}
  - {name: c, units: "1", dims: [layer, hidden, cell], cell_methods: "time: point"}
state_maps:
  - {name: h, fields: [h], pattern: "... layer hidden cell -> (field layer) (... cell) hidden"}
  - {name: c, fields: [c], pattern: "... layer hidden cell -> (field layer) (... cell) hidden"}
dim_sizes: {layer: 1, hidden: 6}
"""


def write(folder, content, *, backend, file, pattern="time ... -> time (...) field", options="{}", more=""):
    folder.mkdir(exist_ok=True)
    (folder / file).write_bytes(content)
    text = HEAD.format(
        backend=backend, file=file, sha256=hashlib.sha256(content).hexdigest(), pattern=pattern, options=options
    )
    (folder / "model.yaml").write_text(text + more)
    return folder


def as_onnx(folder, content, more=""):
    options = f"{{state_outputs: [h_new, c_new]{more}}}"
    return write(folder, content, backend="onnx", file="river.onnx", options=options, more=STATES)


@pytest.fixture
def network(lstm, tmp_path):
    """The bytes of an LSTM as ONNX."""
    export_onnx(lstm, tmp_path / "river.onnx")
    return (tmp_path / "river.onnx").read_bytes()


def answers(model, steps=12):
    generator = torch.Generator().manual_seed(3)
    inputs = {name: torch.rand(steps, 3, generator=generator) for name in ("rain", "warmth")}
    state = model.initial_state(Sizes({**model.dim_sizes, "cell": 3}))
    return model(state, inputs, range(steps))[0]["runoff"]


def told(folder):
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return str(caught.value)


def test_an_onnx_file_is_a_component_with_states_and_gradients(lstm, network, tmp_path, shelf):
    add_model(as_onnx(tmp_path / "folder", network), name="brook")
    model = registry().load("components", "brook")()
    ours, theirs = answers(lstm), answers(model)
    assert torch.allclose(ours, theirs, atol=1e-5) and float(ours.detach().std()) > 0.0
    theirs.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("policy", ["finite_difference", "none"])
def test_an_onnx_file_may_have_an_estimated_gradient_or_none(network, tmp_path, policy):
    model = load_model(as_onnx(tmp_path / "folder", network, f", gradient: {policy}, step: 0.001"))
    assert model.gradient_policy == policy
    assert torch.allclose(answers(model), answers(load_model(tmp_path / "folder")))


def test_an_operator_that_is_unknown_is_named(network, tmp_path):
    model = onnx.load_from_string(network)
    next(node for node in model.graph.node if node.op_type == "LSTM").op_type = "Steal"
    message = told(as_onnx(tmp_path / "folder", model.SerializeToString()))
    assert "folder/model.yaml:7: weights: " in message and "Steal" in message
    model.opset_import.append(onnx.helper.make_opsetid("my.library", 1))
    message = told(as_onnx(tmp_path / "folder", model.SerializeToString()))
    assert "operators of the domains ['my.library'] need a library of their own, which is never loaded" in message


@pytest.mark.parametrize("policy", ["exact", "finite_difference", "none"])
def test_an_onnx_file_with_a_loop_that_could_run_for_ever_is_refused(network, tmp_path, policy):
    model = onnx.load_from_string(network)
    trips, go = onnx.helper.make_tensor_value_info("i", 7, []), onnx.helper.make_tensor_value_info("go", 9, [])
    nodes = [onnx.helper.make_node("Identity", [old], [new]) for old, new in (("go", "on"), ("i", "trip"))]
    results = [onnx.helper.make_tensor_value_info(name, kind, []) for name, kind in (("on", 9), ("trip", 7))]
    body = onnx.helper.make_graph(nodes, "body", [trips, go], results)
    model.graph.node.append(onnx.helper.make_node("Constant", [], ["many"], value_int=2**62))
    model.graph.node.append(onnx.helper.make_node("Loop", ["many", ""], ["unread"], "for_ever", body=body))
    message = told(as_onnx(tmp_path / "folder", model.SerializeToString(), f", gradient: {policy}"))
    assert "folder/model.yaml:7: weights: " in message and "it has control flow, Loop (for_ever)" in message


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_external_data_are_never_reached(network, tmp_path, link):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(10_000))
    model = onnx.load_from_string(network)
    tensor = max(model.graph.initializer, key=lambda item: len(item.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="data.bin")
    folder = as_onnx(tmp_path / "folder", model.SerializeToString())
    link(secret, folder / "data.bin")
    message = told(folder)
    assert f"{folder}/river.onnx: it has external data, which the sha256 of one file does not cover" in message


def test_a_damaged_onnx_file_is_told_by_its_own_path(network, tmp_path):
    folder = as_onnx(tmp_path / "folder", network[:-500])
    assert f"{folder}/river.onnx" in told(folder) and "crest-model-" not in told(folder)


def test_a_field_that_is_mapped_and_not_declared_is_named(network, tmp_path):
    folder = as_onnx(tmp_path / "folder", network)
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(text.replace("fields: [rain, warmth]", "fields: [rain, warmt]"))
    message = told(folder)
    assert "model.yaml:15: input_maps.0.fields: 'warmt' is not among the inputs: rain, warmth; did you mean" in message
    assert "model.yaml:14: input_maps: the field 'warmth' of inputs is in no map; add one" in message
    (folder / "model.yaml").write_text(text.replace("[h_new, c_new]", "[h_new]"))
    assert "model.yaml:7: weights: " in told(folder)


def keras_file(folder, layers):
    keras = keras_library()
    keras.Sequential([keras.Input((2,)), *layers(keras)]).save(folder / "made.keras")
    return (folder / "made.keras").read_bytes()


def as_keras(folder, content):
    return write(folder, content, backend="keras", file="river.keras", pattern="time ... -> (time ...) field")


def test_a_keras_file_is_a_component(tmp_path):
    content = keras_file(tmp_path, lambda keras: [keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    model = load_model(as_keras(tmp_path / "folder", content))
    assert float(answers(model).detach().std()) > 0.0
    answers(model).sum().backward()
    assert any(float(parameter.grad.abs().sum()) > 0.0 for parameter in model.parameters())


def test_a_keras_lambda_is_refused(tmp_path):
    gone = tmp_path / "gone"
    code = compile(f"lambda x: (__import__('os').mkdir({str(gone)!r}), x)[1]", "<layer>", "eval")
    content = keras_file(tmp_path, lambda keras: [keras.layers.Lambda(eval(code), output_shape=(2,))])
    if gone.exists():
        gone.rmdir()  # Keras itself called the layer once, to find shapes
    message = told(as_keras(tmp_path / "folder", content))
    assert "Lambda" in message and "folder/model.yaml:7: weights: " in message
    assert not gone.exists()
