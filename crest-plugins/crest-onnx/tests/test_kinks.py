"""Operators with a kink: at the kink the gradient is whole, as of torch.clamp, never shared half and half."""

import pytest
import torch
from crest_onnx.interpreter import Interpreter
from onnx import TensorProto, helper, numpy_helper

X = torch.tensor([-1.0, 0.0, 1.0, 6.0, 7.0], dtype=torch.float64)


def slopes(kind, names, **bounds):
    """Return d sum(y) / dx of one operator; the bounds are constants of the graph."""
    node = helper.make_node(kind, names, ["y"])
    constants = [
        numpy_helper.from_array(torch.tensor(value, dtype=torch.float64).numpy(), name)
        for name, value in bounds.items()
    ]
    x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [len(X)])
    y = helper.make_tensor_value_info("y", TensorProto.DOUBLE, [len(X)])
    graph = helper.make_graph([node], "kink", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    given = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(Interpreter(model, ["y"])({"x": given})[0].sum(), given)
    return gradient.tolist()


@pytest.mark.parametrize(
    ("kind", "names", "bounds", "expected"),
    [
        ("Clip", ["x", "low"], {"low": 0.0}, [0, 1, 1, 1, 1]),
        ("Clip", ["x", "", "high"], {"high": 6.0}, [1, 1, 1, 1, 0]),
        ("Clip", ["x", "low", "high"], {"low": 0.0, "high": 6.0}, [0, 1, 1, 1, 0]),
        ("Max", ["x", "low"], {"low": 0.0}, [0, 1, 1, 1, 1]),
        ("Max", ["low", "x"], {"low": 0.0}, [0, 1, 1, 1, 1]),
        ("Min", ["x", "high"], {"high": 6.0}, [1, 1, 1, 1, 0]),
        ("Min", ["high", "x"], {"high": 6.0}, [1, 1, 1, 1, 0]),
        ("Relu", ["x"], {}, [0, 0, 1, 1, 1]),  # torch.relu has the slope of the other side
    ],
)
def test_the_gradient_at_a_bound_is_whole(kind, names, bounds, expected):
    assert slopes(kind, names, **bounds) == expected


def test_of_two_equal_values_the_first_gets_all_of_the_gradient():
    node = helper.make_node("Max", ["a", "b"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape) for name, shape in (("a", [3]), ("b", [1]))]
    y = helper.make_tensor_value_info("y", TensorProto.DOUBLE, [3])
    model = helper.make_model(helper.make_graph([node], "kink", ends, [y]))
    a = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(Interpreter(model, ["y"])({"a": a, "b": b})[0].sum(), (a, b))
    assert [value.tolist() for value in found] == [[0, 1, 1], [1]]
