"""Pooling whose padding differs from axis to axis, against onnxruntime."""

import pytest
import torch
from crest_onnx.interpreter import Interpreter
from crest_onnx.session import Session
from onnx import TensorProto, helper

PADS = [(0, 0, 1, 0), (0, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 1), (0, 1, 1, 0), (1, 1, 0, 1), (1, 1, 1, 1)]


def both(kind, size, **attributes):
    """Return what onnxruntime and the interpreter give for one pooling of a map."""
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 1, *size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    opset = [helper.make_opsetid("", 19)]
    model = helper.make_model(helper.make_graph([node], "pool", [x], [y]), opset_imports=opset, ir_version=9)
    given = torch.randn(2, 1, *size, generator=torch.Generator().manual_seed(3))
    expected = Session.of(model, "test").run({"x": given}, ["y"])[0]
    return expected, Interpreter(model, ["y"])({"x": given})[0]


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("pads", PADS, ids=str)
@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_each_axis_has_its_own_padding(kind, pads, ceil_mode):
    for size in ((4, 4), (5, 4), (5, 7)):
        for width, stride in ((2, 2), (3, 2), (2, 3)):
            attributes = {"kernel_shape": [width] * 2, "strides": [stride] * 2, "pads": pads, "ceil_mode": ceil_mode}
            expected, found = both(kind, size, **attributes)
            assert found.shape == expected.shape, (size, width, stride)
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_no_window_of_ceil_mode_begins_in_the_padding_behind():
    _, found = both("MaxPool", (4, 4), kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 0], ceil_mode=1)
    assert found.shape[2:] == (2, 2)
