"""JaxModule: derivatives that keep the laws, no lost digits, no needless compiling, clear refusals."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from crest_jax import JaxModule
from safetensors.torch import load_file, save_file

from crest_core import ComponentError, FieldError
from crest_core.plugins import registry
from crest_core.testing import dot_product_error, relative_difference, taylor_orders


def network(parameters, x, hx):
    hidden = jnp.tanh(x @ parameters["layers"][0]["w"] + parameters["layers"][0]["b"] + hx[0])
    return hidden @ parameters["layers"][1]["w"] * parameters["gain"], (hidden, hx[1] + hidden ** parameters["power"])


def pytree():
    random = np.random.default_rng(3)
    return {
        "layers": [{"w": random.normal(size=(2, 4)), "b": jnp.zeros(4)}, {"w": random.normal(size=(4, 1))}],
        "gain": 0.7,
        "power": 2,
    }


def build():
    return JaxModule(network, pytree()).double()


def arguments():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((5, 2), (5, 4), (5, 4))]


def leaves(result):
    y, (hidden, total) = result
    return [y, hidden, total]


def test_parameters_are_named_by_their_path_and_whole_numbers_stay_constants():
    names = [name for name, _ in build().named_parameters()]
    assert names == ["params/gain", "params/layers/0/b", "params/layers/0/w", "params/layers/1/w"]
    assert "network, constants " in repr(build())


def test_the_adjoint_is_the_transpose_of_the_tangent_in_inputs_and_state():
    module = build()

    def run(x, h, c):
        return leaves(module(x=x, hx=(h, c)))

    assert dot_product_error(run, arguments(), torch.Generator().manual_seed(2)) < 1e-12


def test_the_gradient_in_the_parameters_is_that_of_torch_and_passes_the_taylor_test():
    module, (x, h, c) = build(), arguments()
    w0, b0, w1, gain = (module.get_parameter(f"params/{n}") for n in ("layers/0/w", "layers/0/b", "layers/1/w", "gain"))
    module(x=x, hx=(h, c))[0].square().sum().backward()
    ours = [value.grad.clone() for value in (w0, b0, w1, gain)]
    module.zero_grad()
    ((torch.tanh(x @ w0 + b0 + h) @ w1) * gain).square().sum().backward()
    for one, value in zip(ours, (w0, b0, w1, gain), strict=True):
        assert relative_difference(one, value.grad) < 1e-12

    def loss(w):
        return (
            torch.func.functional_call(module, {"params/layers/0/w": w}, (), {"x": x, "hx": (h, c)})[0].square().sum()
        )

    direction = torch.randn(w0.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    orders = taylor_orders(loss, w0, direction / direction.norm(), [1e-3, 3e-4, 1e-4, 3e-5])
    assert all(1.95 < order < 2.05 for order in orders), orders


def test_second_derivatives_are_those_of_jax():
    module = JaxModule(lambda p, x: jnp.sum(p["k"] * x**3), {"k": 2.0}).double()
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(module(x=x), x, create_graph=True)
    second = torch.autograd.grad(first.sum(), [x, module.get_parameter("params/k")], create_graph=True)
    (third,) = torch.autograd.grad(second[0].sum(), x)
    assert first.tolist() == [6.0, 24.0]
    assert (second[0].tolist(), second[1].item(), third.tolist()) == ([12.0, 24.0], 15.0, [12.0, 12.0])


def test_a_function_is_traced_once_for_each_shape_and_once_more_for_gradients():
    traces = []

    def function(parameters, x):
        traces.append(x.shape)
        return parameters["k"] * x

    module = JaxModule(function, {"k": 2.0})
    for _ in range(3):
        with torch.no_grad():
            module(x=torch.ones(4))
    assert traces == [(4,)]
    for _ in range(3):
        module(x=torch.rand(4)).sum().backward()
    assert traces == [(4,)] * 2
    module(x=torch.ones(5)).sum().backward()
    assert traces == [(4,)] * 2 + [(5,)]
    copy.deepcopy(module)(x=torch.ones(5)).sum().backward()
    assert len(traces) == 3


def test_float64_keeps_its_digits_while_jax_has_x64_off():
    assert not jax.config.jax_enable_x64
    module = JaxModule(lambda p, x: x + p["k"], {"k": 1.0}).double()
    x = torch.tensor([1e-12], dtype=torch.float64, requires_grad=True)
    y = module(x=x)
    assert (y.dtype, (y - 1.0).item()) == (torch.float64, pytest.approx(1e-12, rel=1e-3))
    (1e-12 * y + y).backward()
    assert (x.grad - 1.0).item() == pytest.approx(1e-12, rel=1e-3)
    assert not jax.config.jax_enable_x64


def test_whole_numbers_of_64_bits_stay_whole():
    module = JaxModule(lambda p, index: (index % 10) * p["k"], {"k": 1.0})
    assert module(index=torch.tensor([2**40 + 3])).item() == float((2**40 + 3) % 10)


@pytest.mark.parametrize("function", [lambda p, x: x.astype(jnp.float32), lambda p, x: jnp.zeros(3, jnp.float32)])
def test_a_function_that_drops_digits_of_float64_is_refused(function):
    words = "takes float64 and returns float32: it loses digits inside; take out its astype"
    with pytest.raises(ComponentError, match=words):
        JaxModule(function, {})(x=torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_a_function_that_drops_digits_of_float32_is_refused(kind):
    with pytest.raises(ComponentError, match=f"takes float32 and returns {kind}: it loses digits inside; take out its"):
        JaxModule(lambda p, x: x.astype(kind), {})(x=torch.ones(3))


def test_large_arrays_are_not_copied_on_their_way_in():
    """A copy of 40 MB takes milliseconds; reading one number of it does not."""
    from time import perf_counter

    module, x = JaxModule(lambda p, x: x[0] * p["k"], {"k": 2.0}), torch.ones(10_000_000)
    with torch.no_grad():
        module(x=x)
        seconds = []
        for _ in range(5):
            began = perf_counter()
            module(x=x)
            seconds.append(perf_counter() - began)
        began = perf_counter()
        x.clone()
        copying = perf_counter() - began
    assert min(seconds) < copying / 4


def test_results_are_no_views_of_arguments():
    x = torch.ones(3)
    (y,) = JaxModule(lambda p, x: (x,), {})(x=x)
    y += 1.0
    assert x.tolist() == [1.0, 1.0, 1.0]


def test_strided_expanded_and_empty_tensors_arrive_as_they_are():
    module = JaxModule(lambda p, x: 2 * x, {})
    for x in (torch.arange(6.0).view(2, 3).T, torch.ones(1).expand(4), torch.arange(9.0)[1:], torch.zeros(0, 3)):
        assert torch.equal(module(x=x), 2 * x)
    assert module(x=torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_a_parameter_changed_between_forward_and_backward_is_noticed():
    module = JaxModule(lambda p, x: p["k"] ** 2 * x, {"k": 2.0})
    y = module(x=torch.ones(1))
    with torch.no_grad():
        module.get_parameter("params/k").add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_only_what_asks_for_a_gradient_gets_one():
    module = JaxModule(lambda p, x, y: p["k"] * x * y, {"k": 2.0})
    module.get_parameter("params/k").requires_grad_(False)
    x, y = torch.ones(1, requires_grad=True), torch.ones(1)
    module(x=x, y=y).backward()
    assert x.grad.item() == 2.0 and y.grad is None and module.get_parameter("params/k").grad is None
    assert not module(x=y, y=y).requires_grad


def test_weights_pass_through_a_safetensors_file(tmp_path):
    module, other, (x, h, c) = build(), build(), arguments()
    with torch.no_grad():
        for value in module.parameters():
            value.normal_(generator=torch.Generator().manual_seed(8))
    save_file(module.state_dict(), tmp_path / "weights.safetensors")
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(module(x=x, hx=(h, c))[0], other(x=x, hx=(h, c))[0])


def test_a_random_key_among_the_parameters_is_a_constant():
    module = JaxModule(lambda p, x: x + p["k"] * jax.random.uniform(p["key"]), {"k": 1.0, "key": jax.random.key(3)})
    assert [name for name, _ in module.named_parameters()] == ["params/k"]
    assert torch.equal(module(x=torch.ones(1)), module(x=torch.ones(1))) and "constants" in repr(module)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"z": np.ones(2, complex)}, ComponentError, "params/z is complex128: .*keep real and imaginary parts apart"),
        ({"a.b": 1.0}, FieldError, "parameter params/a.b: expected keys without dots"),
        ({"a/b": 1.0, "a": {"b": 2.0}}, FieldError, "params/a/b: expected keys .* that differ as text"),
    ],
)
def test_parameters_that_torch_cannot_hold_are_refused(parameters, error, words):
    with pytest.raises(error, match=words):
        JaxModule(lambda p, x: x, parameters)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            lambda p, x: x if x.sum() > 0 else -x,
            "TracerBoolConversionError: Attempted boolean conversion of traced array",
        ),
        (lambda p, x: x @ jnp.ones((7, 7)), "TypeError: dot_general requires"),
        (lambda p, x: x > 0, "expected arrays of real numbers as results, got bool"),
        (lambda p, x: (x, "done"), "str"),
    ],
)
def test_a_function_that_jax_cannot_run_is_named_with_the_reason(function, words):
    with pytest.raises(ComponentError, match=words) as caught:
        JaxModule(function, {})(x=torch.ones(3))
    assert "<lambda>" in str(caught.value)


def test_a_device_that_jax_does_not_have_is_told():
    with pytest.raises(ComponentError, match="a tensor on meta cannot be handed to JAX, which has .* here: .*to.'cpu'"):
        JaxModule(lambda p, x: x, {})(x=torch.ones(3, device="meta"))


def test_the_module_is_registered_for_other_adapters():
    assert registry().load("backends", "jax-module") is JaxModule
