"""The interpreter against the test cases of the ONNX standard, and against onnxruntime."""

import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from crest_onnx.interpreter import Interpreter, needed_nodes, unknown_operators
from crest_onnx.operators import OPERATORS
from crest_onnx.session import Session
from onnx import TensorProto, helper, numpy_helper

from crest_core import ComponentError
from crest_core.testing import dot_product_error, relative_difference, taylor_orders

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # overflow and division by zero, which the cases are about
    from onnx.backend.test.loader import load_model_tests

    CASES = {case.name: case for case in load_model_tests(kind="node")}

# What the interpreter is known not to do, each with the words it says.
REFUSED = {
    "training_mode=1": ("test_batchnorm_example_training_mode", "test_batchnorm_epsilon_training_mode"),
    "the second output, indices": (
        "test_maxpool_with_argmax_2d_precomputed_pads",
        "test_maxpool_with_argmax_2d_precomputed_strides",
    ),
    "pooling of torch.uint8": ("test_maxpool_2d_uint8",),
    "antialias=1": (
        "test_resize_downsample_scales_linear_antialias",
        "test_resize_downsample_sizes_linear_antialias",
        "test_resize_downsample_scales_cubic_antialias",
        "test_resize_downsample_sizes_cubic_antialias",
    ),
    "cannot take": ("test_reduce_max_empty_set_bool",),
}
# The standard's case scales by a length that is no whole number; onnxruntime and torch take the whole one.
OTHER_BY_INTENT = {
    "test_resize_downsample_scales_linear_align_corners",
    "test_resize_downsample_scales_cubic_align_corners",
}
TORCH_HAS_NO_ARITHMETIC = (np.uint16, np.uint32, np.uint64)


def arrays(case):
    return [*case.data_sets[0][0], *case.data_sets[0][1]]


def reason_to_leave_out(case):
    """Return why a case says nothing of the interpreter, "" if it does."""
    names = [item.name for item in case.model.graph.output]
    if unknown_operators(needed_nodes(case.model.graph, names)):
        return "unknown operator"
    if any(not isinstance(value, np.ndarray) for value in arrays(case)):
        return "sequences and optionals"
    if any(value.dtype.kind not in "fiub" or value.dtype in TORCH_HAS_NO_ARITHMETIC for value in arrays(case)):
        return "number types that torch does not compute with"
    if case.name in OTHER_BY_INTENT:
        return "another reading of the standard"
    return "refused" if any(case.name in names for names in REFUSED.values()) else ""


WHY = {name: reason_to_leave_out(case) for name, case in CASES.items()}


def run(case):
    names = [item.name for item in case.model.graph.output]
    given = [torch.from_numpy(np.array(value)) for value in case.data_sets[0][0]]
    inputs = dict(zip([item.name for item in case.model.graph.input], given, strict=False))
    return Interpreter(case.model, names)(inputs)


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_operator_gives_what_the_standard_says(operator):
    """All cases in which the operator stands first or alone; half precision is compared to half precision."""
    for name, case in CASES.items():
        if WHY[name] or case.model.graph.node[0].op_type != operator:
            continue
        for found, expected in zip(run(case), case.data_sets[0][1], strict=True):
            values = found.detach().numpy()
            assert values.dtype == expected.dtype, name
            half = expected.dtype == np.float16
            np.testing.assert_allclose(
                values, expected, rtol=max(case.rtol, 4e-3 * half), atol=max(case.atol, 1e-3 * half)
            )


def test_so_many_cases_of_the_standard_are_passed_and_so_few_left_out():
    """Counted, so that an operator cannot fall out of the comparison unseen."""
    count = Counter(WHY.values())
    assert count[""] >= 1050
    assert count["refused"] == sum(map(len, REFUSED.values()))
    assert count["another reading of the standard"] == len(OTHER_BY_INTENT)
    supported = [name for name, case in CASES.items() if {n.op_type for n in case.model.graph.node} <= set(OPERATORS)]
    plain = [name for name in supported if not WHY[name].startswith(("number types", "sequences"))]
    assert count[""] >= 0.98 * len(plain)


@pytest.mark.parametrize(("words", "name"), [(words, name) for words, names in REFUSED.items() for name in names])
def test_a_form_that_is_not_built_is_refused_by_operator_node_and_words(words, name):
    case = CASES[name]
    with pytest.raises(ComponentError, match=words) as error:
        run(case)
    assert f"{case.model.graph.node[0].op_type} (node 0)" in str(error.value)


def graph_of(node, arrays, weights=None, opset=17, outputs=("y",)):
    """Return a model of one node on float inputs."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in arrays.items()]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    stored = [numpy_helper.from_array(value, name) for name, value in (weights or {}).items()]
    graph = helper.make_graph([node], "one", inputs, results, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


RECURRENT = [
    ("LSTM", {"direction": "bidirectional"}, 4),
    ("LSTM", {"direction": "reverse", "clip": 0.7, "input_forget": 1}, 4),
    (
        "LSTM",
        {"activations": ["HardSigmoid", "Softsign", "Relu"], "activation_alpha": [0.25], "activation_beta": [0.4]},
        4,
    ),
    ("GRU", {"direction": "bidirectional", "linear_before_reset": 1}, 3),
    ("GRU", {"direction": "reverse", "linear_before_reset": 0, "clip": 1.0}, 3),
    ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Relu"]}, 1),
    ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}, 1),
]


def recurrent(kind, attributes, gates, lengths=None, seed=1):
    """Return the model of a recurrent layer with all its initial states, and inputs for it."""
    random = np.random.default_rng(seed)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    shapes = {"w": (directions, gates * 5, 3), "r": (directions, gates * 5, 5), "b": (directions, 2 * gates * 5)}
    weights = {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    inputs = {"x": (7, 4, 3), "h0": (directions, 4, 5)} | ({"c0": (directions, 4, 5)} if kind == "LSTM" else {})
    arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in inputs.items()}
    if lengths is not None:
        weights["lengths"] = np.array(lengths, dtype=np.int32)
    outputs = ["y", "hn"] + ["cn"] * (kind == "LSTM")
    names = ["x", "w", "r", "b", "" if lengths is None else "lengths", "h0"] + ["c0"] * (kind == "LSTM")
    node = helper.make_node(kind, names, outputs, hidden_size=5, name="layer", **attributes)
    return graph_of(node, arrays, weights, outputs=outputs), arrays, outputs


@pytest.mark.parametrize(("kind", "attributes", "gates"), RECURRENT)
@pytest.mark.parametrize("lengths", [None, (7, 7, 7, 7), (7, 3, 1, 5)])
def test_recurrent_layers_agree_with_onnxruntime(kind, attributes, gates, lengths):
    model, arrays, outputs = recurrent(kind, attributes, gates, lengths)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    expected = Session.of(model, "test").run(tensors, outputs)
    for ours, theirs in zip(Interpreter(model, outputs)(tensors), expected, strict=True):
        assert relative_difference(ours, theirs) < 2e-6


@pytest.mark.parametrize(("kind", "attributes", "gates"), RECURRENT)
def test_gradients_of_recurrent_layers_keep_the_laws(kind, attributes, gates):
    model, arrays, outputs = recurrent(kind, attributes, gates)
    network = Interpreter(model, outputs).double()
    tensors = {name: torch.from_numpy(value).double() for name, value in arrays.items()}

    def function(*values):
        return network(dict(zip(tensors, values, strict=True)))

    generator = torch.Generator().manual_seed(3)
    assert dot_product_error(function, list(tensors.values()), generator) < 1e-12
    x, *rest = tensors.values()
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    if "relu" not in str(attributes).lower() and "clip" not in attributes and "HardSigmoid" not in str(attributes):
        orders = taylor_orders(lambda v: (function(v, *rest)[0] ** 2).sum(), x, direction, [1e-2, 3e-3, 1e-3])
        assert all(1.9 < order < 2.1 for order in orders)


OLD = [
    (helper.make_node("Squeeze", ["x"], ["y"], axes=[0]), (1, 3), 11),
    (helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0), (2, 3), 11),
    (helper.make_node("ReduceMean", ["x"], ["y"], axes=[-1]), (2, 3), 13),
    (helper.make_node("Clip", ["x"], ["y"], min=-0.5, max=0.5), (2, 3), 9),
    (helper.make_node("Softmax", ["x"], ["y"], axis=1), (2, 3, 4), 11),
    (helper.make_node("LogSoftmax", ["x"], ["y"]), (2, 3, 4), 11),
    (helper.make_node("Slice", ["x"], ["y"], starts=[1], ends=[9], axes=[1]), (2, 5), 9),
    (helper.make_node("Split", ["x"], ["y"], split=[3], axis=0), (3, 2), 11),
    (helper.make_node("Pad", ["x"], ["y"], pads=[0, 1, 0, 2], mode="reflect"), (2, 4), 9),
    (helper.make_node("Upsample", ["x", "scales"], ["y"], mode="linear"), (1, 1, 3, 4), 9),
    (helper.make_node("Resize", ["x", "scales"], ["y"], mode="nearest"), (1, 1, 3, 4), 10),
    (helper.make_node("Hardmax", ["x"], ["y"], axis=1), (2, 3, 4), 11),
]


@pytest.mark.parametrize(("node", "shape", "opset"), OLD, ids=lambda value: getattr(value, "op_type", str(value)))
def test_older_opsets_mean_what_they_meant(node, shape, opset):
    array = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    scales = {"scales": np.array([1, 1, 2, 2], dtype=np.float32)} if "scales" in node.input else {}
    model = graph_of(node, {"x": array}, scales, opset=opset)
    tensors = {"x": torch.from_numpy(array)}
    (expected,) = Session.of(model, "test").run(tensors, ["y"])
    (found,) = Interpreter(model, ["y"])(tensors)
    assert found.shape == expected.shape and relative_difference(found, expected) < 1e-6


def test_what_the_outputs_do_not_need_is_left_out():
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("NonMaxSuppression", ["x", "x"], ["z"])]
    graph = helper.make_graph(nodes, "two", [], [])
    graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]))
    assert [node.op_type for node in needed_nodes(graph, ["y"])] == ["Relu"]


def test_an_output_that_is_not_there_is_named_with_what_is():
    model = graph_of(helper.make_node("Relu", ["x"], ["y"]), {"x": np.zeros(2, dtype=np.float32)})
    with pytest.raises(ComponentError, match="no output 'yy'; did you mean 'y'"):
        Interpreter(model, ["yy"])


def test_a_wrong_shape_names_operator_node_and_shapes():
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    model = graph_of(node, {"x": np.zeros((2, 3), np.float32)}, {"w": np.zeros((3, 1), np.float32)})
    with pytest.raises(ComponentError, match=r"MatMul \(product\) cannot take \(2, 4\) torch.float32, \(3, 1\)"):
        Interpreter(model, ["y"])({"x": torch.zeros(2, 4)})


def test_casts_to_float_inside_a_graph_do_not_lose_what_double_gains():
    node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    model = graph_of(node, {"x": np.zeros(1, np.float32)})
    third = torch.tensor([1.0], dtype=torch.float64) / 3
    assert torch.equal(Interpreter(model, ["y"])({"x": third})[0], third)


def test_names_that_torch_forbids_become_attributes_of_their_own():
    weights = {"a.b": np.ones(2, np.float32), "a_b": np.full(2, 2.0, np.float32), "keys": np.full(2, 4.0, np.float32)}
    node = helper.make_node("Sum", ["x", *weights], ["y"])
    network = Interpreter(graph_of(node, {"x": np.zeros(2, np.float32)}, weights), ["y"])
    assert list(network.state_dict()) == ["weights.a_b", "weights.a_b_", "weights.keys_"]
    assert network({"x": torch.zeros(2)})[0].tolist() == [7.0, 7.0]


def test_states_that_recurrent_layers_start_from_are_not_trained():
    """An exporter that finds no state stores zeros."""
    attributes = {"direction": "forward"}
    model, arrays, outputs = recurrent("LSTM", attributes, 4)
    for name in ("h0", "c0"):
        model.graph.initializer.append(numpy_helper.from_array(np.zeros_like(arrays[name]), name))
    network = Interpreter(model, outputs)
    assert set(dict(network.weights.named_parameters())) == {"w", "r", "b"}


def test_settings_scalars_and_statistics_are_not_trained(bench):
    model = bench.images().model()
    network = Interpreter(model, ["y"])
    assert set(dict(network.weights.named_parameters())) == {"k1", "b1", "s", "b", "k2"}
    assert set(dict(network.constants.named_buffers())) == {"mean", "variance", "double_"}
    named = Interpreter(model, ["y"], ["k2", "mean"])
    assert set(dict(named.weights.named_parameters())) == {"k2", "mean"}
    with pytest.raises(ComponentError, match=r"trainable: \['k9'\] are no float initialisers of the graph"):
        Interpreter(model, ["y"], ["k9"])
