"""The chain of stores of coupling.py in dCoupler, as its own README asks components to be written."""

from __future__ import annotations

from collections.abc import Callable

import dcoupler
import torch
from dcoupler.core.component import DifferentiableComponent, FluxDirection, FluxSpec, GradientMethod, ParameterSpec
from torch import Tensor

DAY = 86400.0  # s


class Store(DifferentiableComponent):
    """stored += inflow; half of it flows out: the same three operations."""

    requires_batch = False
    state_size = 1
    gradient_method = GradientMethod.AUTOGRAD

    def __init__(self, name: str, cells: int) -> None:
        self._name = name
        self.cells = cells
        self._inputs = [_flux("inflow", FluxDirection.INPUT)]
        self._outputs = [_flux("outflow", FluxDirection.OUTPUT)]
        self._parameters: list[ParameterSpec] = []

    @property
    def name(self) -> str:
        """The name in the graph."""
        return self._name

    @property
    def input_fluxes(self) -> list[FluxSpec]:
        """What comes in."""
        return self._inputs

    @property
    def output_fluxes(self) -> list[FluxSpec]:
        """What goes out."""
        return self._outputs

    @property
    def parameters(self) -> list[ParameterSpec]:
        """None."""
        return self._parameters

    def get_initial_state(self) -> Tensor:
        """Return 1 mm."""
        return torch.ones(self.cells)

    def step(self, inputs: dict[str, Tensor], state: Tensor, dt: float) -> tuple[dict[str, Tensor], Tensor]:
        """Return outflow and what stays."""
        stored = state + inputs["inflow"]
        outflow = stored * 0.5
        return {"outflow": outflow}, stored - outflow

    def get_torch_parameters(self) -> list[torch.nn.Parameter]:
        """Return none."""
        return []

    def get_physical_parameters(self) -> dict[str, Tensor]:
        """Return none."""
        return {}


def dcoupler_chain(count: int, rain: Tensor) -> Callable[[], list[Tensor]]:
    """Return the run of `count` stores in a row; rain (time, cell) falls on the first."""
    names = [f"store{i}" for i in range(count)]
    graph = dcoupler.CouplingGraph()
    for name in names:
        graph.add_component(Store(name, rain.shape[1]))
    for source, target in zip(names, names[1:], strict=False):
        graph.connect(source, "outflow", target, "inflow")
    forcing = {names[0]: {"inflow": rain}}

    def run() -> list[Tensor]:
        outputs = graph.forward(forcing, n_timesteps=len(rain), dt=DAY)
        return [outputs[name]["outflow"] for name in names]

    return run


def _flux(name: str, direction: FluxDirection) -> FluxSpec:
    return FluxSpec(name, "mm day-1", direction, "cell", DAY, ("cell",))
