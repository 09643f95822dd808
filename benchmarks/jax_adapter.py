"""A JAX function as a component: what a call costs beyond calling the compiled function itself.

A network of one hidden layer (16 units) on columns, of 1 and of 10,000 cells, and the snow routine of HBV over a year:
  module        JaxModule: torch tensors in and out, against the same function under jax.jit on JAX arrays, waited for
  module.grad   the same with the gradient of all parameters and inputs, against jax.jit(jax.value_and_grad)
  component     jax_component around it: fields packed and unpacked by tensor maps
  snow          JaxStepComponent over 365 days, against jax.jit(jax.lax.scan) of the same step
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from _report import Report, options
from _timing import SHORTEST, interleave
from crest_jax import HBVSnow, JaxModule, hbv_snow_step, jax_component

from crest_core import FieldSpec, Sizes, TensorMap

CELLS = (1, 10_000)
PAIRS = 40
HIDDEN, DAYS = 16, 365
BARE = "bare jax.jit"

Runs = dict[str, Callable[[], object]]


def main() -> None:
    """Time all sizes and print a line for each way."""
    chosen = options(__doc__, pairs=PAIRS)
    report = Report(chosen, ("crest-core", "crest-jax", "jax", "jaxlib", "torch", "numpy"))
    for cells in CELLS:
        for group in (forward, backward, snow):
            if chosen.wants(f"jax_adapter.{group.__name__}.{cells}"):
                measure(group(cells), cells, report)


def measure(runs: Runs, cells: int, report: Report) -> None:
    """Time runs, the bare one first, and print how the others compare with it."""
    seconds = interleave(runs, report.options.pairs, shortest=0.002 if report.options.quick else SHORTEST)
    for name in list(runs)[1:]:
        key = f"jax_adapter.{name}.{cells}"
        report.compare(key, seconds[name], seconds[BARE], unit="us per call", scale=1e6, baseline=BARE, cells=cells)


def network(parameters: Any, x: Any) -> Any:
    """Return one value for each column."""
    return jnp.tanh(x @ parameters["w"] + parameters["b"]) @ parameters["head"]


def weights() -> dict[str, Any]:
    """Return the same weights every time."""
    random = np.random.default_rng(1)
    shapes = {"w": (2, HIDDEN), "b": (HIDDEN,), "head": (HIDDEN, 1)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def forward(cells: int) -> Runs:
    """Return the forward runs: bare, the module, the component."""
    fields = tuple(FieldSpec(name=name, units="1") for name in ("rain", "warmth"))
    component = jax_component(
        network,
        parameters=weights(),
        inputs=fields,
        outputs=(FieldSpec(name="runoff", units="1"),),
        input_maps=(TensorMap("x", ("rain", "warmth"), "time ... -> (time ...) field"),),
        output_maps=(TensorMap("y", ("runoff",), "time ... -> (time ...) field"),),
    )
    inputs = {spec.name: torch.ones(1, cells) for spec in fields}
    bare, arrays = jax.jit(network), jax.tree.map(jnp.array, weights())
    x, module = jnp.ones((cells, 2)), JaxModule(network, weights())
    packed = torch.ones(cells, 2)
    assert_same(bare(arrays, x), module(x=packed))
    return {
        BARE: lambda: bare(arrays, x).block_until_ready(),
        "module": torch.no_grad()(lambda: module(x=packed)),
        "component": torch.no_grad()(lambda: component({}, inputs, range(1))),
    }


def backward(cells: int) -> Runs:
    """Return the runs with gradients: bare, and the module on torch's tape."""

    def loss(parameters: Any, x: Any) -> Any:
        return network(parameters, x).sum()

    bare, arrays = jax.jit(jax.value_and_grad(loss, argnums=(0, 1))), jax.tree.map(jnp.array, weights())
    x, module = jnp.ones((cells, 2)), JaxModule(network, weights())
    packed = torch.ones(cells, 2, requires_grad=True)
    leaves = [*module.parameters(), packed]

    def run() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(module(x=packed).sum(), leaves)

    assert_same(bare(arrays, x)[1][1], run()[-1])
    return {BARE: lambda: jax.block_until_ready(bare(arrays, x)), "module.grad": run}


def snow(cells: int) -> Runs:
    """Return the year of snow: bare, and the component."""
    component = HBVSnow()
    state = component.initial_state(Sizes({"cell": cells}))
    generator = torch.Generator().manual_seed(2)
    temperature = 8.0 * torch.randn(DAYS, cells, generator=generator)
    inputs = {"precipitation": torch.full((DAYS, cells), 3.0), "temperature": temperature}

    @jax.jit
    def bare(parameters: Any, state: Any, inputs: Any) -> Any:
        def advance(state: Any, now: Any) -> Any:
            outputs, new_state = hbv_snow_step(parameters, state, now)
            return new_state, outputs

        return jax.lax.scan(advance, state, inputs)

    values = component.physical.values()
    arrays = [{name: jnp.array(v.detach().numpy()) for name, v in group.items()} for group in (values, state, inputs)]
    assert_same(bare(*arrays)[1]["swe"], component(state, inputs, range(DAYS))[0]["swe"])
    return {
        BARE: lambda: jax.block_until_ready(bare(*arrays)),
        "snow": torch.no_grad()(lambda: component(state, inputs, range(DAYS))),
    }


def assert_same(bare: jax.Array, ours: torch.Tensor) -> None:
    """Stop unless both sides give the same numbers to 1e-5 of the largest."""
    theirs = torch.tensor(np.asarray(bare))
    if float((ours.detach() - theirs).abs().max()) > 1e-5 * float(theirs.abs().max()):
        raise SystemExit("the component and the bare function give different numbers")


if __name__ == "__main__":
    main()
