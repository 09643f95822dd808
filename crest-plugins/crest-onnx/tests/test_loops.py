"""Loops in ONNX files: short ones run, those that would not end are refused before onnxruntime sees them."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from crest_core import ComponentError, FiniteDifference, NoGradient

ENDLESS = 2**62


def body(nodes=(), name="body"):
    """Return a loop body that adds one to what it carries."""
    scalar = [("i", TensorProto.INT64), ("go", TensorProto.BOOL)]
    inputs = [helper.make_tensor_value_info(key, kind, []) for key, kind in scalar]
    carried, result = (helper.make_tensor_value_info(f"{name}_{end}", TensorProto.FLOAT, None) for end in ("in", "out"))
    one = helper.make_node("Constant", [], [f"{name}_one"], value_float=1.0)
    add = helper.make_node("Add", [f"{name}_in", f"{name}_one"], [f"{name}_out"])
    same = helper.make_node("Identity", ["go"], [f"{name}_go"])
    kept = helper.make_tensor_value_info(f"{name}_go", TensorProto.BOOL, [])
    return helper.make_graph([one, add, same, *nodes], name, [*inputs, carried], [kept, result])


def looped(network, trips, *, constant=False, inner=None, condition=""):
    """Return the network with a loop behind its result."""
    model = network.model()
    model.graph.node[-1].output[0] = "before"
    if trips is not None and constant:
        model.graph.node.append(helper.make_node("Constant", [], ["trips"], value_int=trips))
    elif trips is not None:
        model.graph.initializer.append(numpy_helper.from_array(np.array(trips), "trips"))
    nodes = ()
    if inner is not None:
        count = helper.make_node("Constant", [], ["inner_trips"], value_int=inner)
        loop = helper.make_node("Loop", ["inner_trips", "", "body_in"], ["unread"], "inner", body=body(name="deep"))
        nodes = (count, loop)
    start = ["" if trips is None else "trips", condition, "before"]
    model.graph.node.append(helper.make_node("Loop", start, ["y"], "again", body=body(nodes)))
    return network.written(model)


def test_a_short_loop_runs_as_a_black_box(bench):
    component = looped(bench.columns(), 3).component(gradient=NoGradient())
    plain = bench.columns().component(gradient=NoGradient())
    inputs = bench.forcing(plain, 2, dtype=torch.float32)
    apart = component({}, inputs, range(2))[0]["runoff"] - plain({}, inputs, range(2))[0]["runoff"]
    assert torch.allclose(apart, torch.full_like(apart, 3 * 2.0), atol=1e-4)  # runoff is scaled by 2


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("gradient", [NoGradient(), FiniteDifference(step=1e-2)])
def test_a_loop_of_too_many_trips_is_refused(bench, constant, gradient):
    network = looped(bench.columns(), ENDLESS, constant=constant)
    with pytest.raises(ComponentError, match=rf"Loop \(again\) asks for {ENDLESS} trips, at most 1000000; onnxruntime"):
        network.component(gradient=gradient)


def test_the_trips_of_nested_loops_are_multiplied(bench):
    network = looped(bench.columns(), 10**4, inner=10**4)
    with pytest.raises(ComponentError, match=r"Loop \(inner\) asks for 100000000 trips"):
        network.component(gradient=NoGradient())


def test_a_loop_without_count_and_condition_is_refused(bench):
    with pytest.raises(ComponentError, match=r"Loop \(again\) has neither a trip count nor a condition; it never ends"):
        looped(bench.columns(), None).component(gradient=NoGradient())


def test_control_flow_can_be_refused_altogether(bench):
    with pytest.raises(
        ComponentError, match=r"it has control flow, Loop \(again\): how long .*; export the network wit"
    ):
        looped(bench.columns(), 3).component(gradient=NoGradient(), control_flow=False)
