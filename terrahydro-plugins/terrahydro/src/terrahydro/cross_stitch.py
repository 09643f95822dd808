"""CrossStitch: three LSTMs, of soil moisture, evapotranspiration and carbon, that see each other's hidden state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from crest_core import FieldError, FieldSpec, SequenceComponent, Sizes, Tensors, registry

_FieldScaling: Any = registry().load("parts", "field-scaling")
TASKS = ("root_zone_soil_moisture", "evapotranspiration", "net_ecosystem_exchange")
MOISTURE = (0.0, 0.7)  # m3 m-3, the range of the answer
FORGET_BIAS = 3.0  # sigmoid(3) = 0.95 a day; Jozefowicz et al. (2015)
OWN = 0.9  # share of its own hidden state that a task begins with; Misra et al. (2016), section 5
_FLUX = "kg m-2 day-1"
_DRIVERS = {
    spec.name: spec
    for spec in (
        FieldSpec(name="precipitation_flux", units=_FLUX, standard_name="precipitation_flux"),
        FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),
        FieldSpec(name="vapour_pressure", units="Pa", standard_name="water_vapor_partial_pressure_in_air"),
        FieldSpec(name="vapour_pressure_deficit", units="Pa", standard_name="water_vapor_saturation_deficit_in_air"),
        FieldSpec(name="wind_speed", units="m s-1", standard_name="wind_speed"),
        FieldSpec(
            name="shortwave_down",
            units="W m-2",
            standard_name="surface_downwelling_shortwave_flux_in_air",
            positive="down",
        ),
        FieldSpec(name="shortwave_toa", units="W m-2", standard_name="toa_incoming_shortwave_flux", positive="down"),
    )
}
_OUTPUTS = (
    FieldSpec(
        name=TASKS[0],
        units="1",
        standard_name="volume_fraction_of_condensed_water_in_soil",
        cell_methods="time: point",
        vertical=(0.0, 0.6),
        bounds=MOISTURE,
    ),
    FieldSpec(name=TASKS[1], units=_FLUX, standard_name="water_evapotranspiration_flux", positive="up"),
    FieldSpec(name=TASKS[2], units="g m-2 day-1", standard_name="net_ecosystem_exchange_of_carbon", positive="up"),
)


class CrossStitch(SequenceComponent):
    """Soil moisture, evapotranspiration and net ecosystem exchange from LSTMs joined at their hidden states.

    Every day the hidden state that LSTM i goes on from is h_i' = sum_j A_ij h_j, with a learned matrix A of tasks, at
    first OWN on its diagonal and the rest shared among the others: cross-stitch units (Misra et al. 2016,
    doi:10.1109/CVPR.2016.433, eq. 1) between the LSTMs of Hochreiter and Schmidhuber (1997),
    doi:10.1162/neco.1997.9.8.1735. With `stitched=False` A stays the identity: three LSTMs alone. There are no budgets:
    it is for comparison with a coupling through fields. Soil moisture is within [0, 0.7] m3 m-3.

    >>> net = CrossStitch(hidden=4, generator=torch.Generator().manual_seed(1))
    >>> [round(x, 2) for x in net.stitches()[0].tolist()]
    [0.9, 0.05, 0.05]
    """

    outputs = _OUTPUTS
    conserves = ()

    def __init__(
        self,
        *,
        hidden: int = 32,
        forcing: Sequence[str] = tuple(_DRIVERS),
        dropout: float = 0.0,
        stitched: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        unknown = [name for name in forcing if name not in _DRIVERS]
        if unknown or not forcing or len(set(forcing)) != len(forcing):
            raise FieldError(
                f"cross-stitch: forcing {list(forcing)}; expected one or more distinct names of {list(_DRIVERS)}"
            )
        if type(hidden) is not int or hidden < 1:
            raise FieldError(f"cross-stitch: hidden {hidden!r}; expected a whole number of units, 1 or more")
        if type(dropout) not in (int, float) or not 0.0 <= dropout < 1.0:
            raise FieldError(f"cross-stitch: dropout {dropout!r}; expected a share from 0 to below 1")
        self.inputs = tuple(_DRIVERS[name] for name in forcing)
        self.hidden, self.stitched = hidden, stitched
        self.dim_sizes = {"task": len(TASKS), "stitched_unit": hidden}
        self.states = tuple(
            FieldSpec(name=name, units="1", dims=("task", "stitched_unit", "cell"), cell_methods="time: point", doc=doc)
            for name, doc in (("hidden", "output gate's answer"), ("memory", "cell state"))
        )
        tasks, width = len(TASKS), hidden**-0.5
        self.weight_in = nn.Parameter(_drawn((tasks, len(self.inputs), 4 * hidden), width, generator))
        self.weight_hidden = nn.Parameter(_drawn((tasks, hidden, 4 * hidden), width, generator))
        bias = torch.zeros(tasks, 1, 4 * hidden)
        bias[:, :, hidden : 2 * hidden] = FORGET_BIAS
        self.bias = nn.Parameter(bias)
        self.head = nn.Parameter(_drawn((tasks, hidden, 1), width, generator))
        self.head_bias = nn.Parameter(torch.zeros(tasks, 1, 1))
        mixed = torch.full((tasks, tasks), (1.0 - OWN) / (tasks - 1)).fill_diagonal_(OWN)
        self.mixing = nn.Parameter(mixed if stitched else torch.eye(tasks), requires_grad=stitched)
        self.dropout = nn.Dropout(dropout)
        self.scaling = _FieldScaling((*forcing, *TASKS[1:]), owner="cross-stitch")

    def extra_repr(self) -> str:
        """Return the settings that change the answer, for print and the graph hash."""
        return f"inputs {[spec.name for spec in self.inputs]}, range {MOISTURE}, stitched={self.stitched}"

    def stitches(self) -> Tensor:
        """Return A (task, task): row i tells of which hidden states task i goes on."""
        return self.mixing.detach()

    def standardise(self, mean: Mapping[str, float], std: Mapping[str, float]) -> None:
        """Set the scaling of inputs and outputs from the training part; soil moisture has its range instead."""
        self.scaling.standardise(mean, std, self.outputs)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros."""
        own = Sizes({**sizes.dims, **self.dim_sizes}, lead=sizes.lead, dtype=sizes.dtype, device=sizes.device)
        return {spec.name: own.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return (outputs of all steps, state): the hidden states are mixed between any two steps."""
        names = [spec.name for spec in self.inputs]
        given = dict(zip(names, torch.broadcast_tensors(*(inputs[name] for name in names)), strict=True))
        columns = given[names[0]].shape[1:]  # (*lead, cell)
        scaled = self.scaling.stacked(given, names).flatten(1, -2)  # (time, column, field)
        drive = torch.einsum("tcf,kfg->tkcg", scaled, self.weight_in) + self.bias  # (time, task, column, gate)
        hidden, memory = (_to_columns(state[name]) for name in ("hidden", "memory"))
        answers = []
        for row in drive.unbind(0):
            mixed = torch.einsum("ij,jcu->icu", self.mixing, hidden)
            gates = row + torch.bmm(mixed, self.weight_hidden)
            enter, keep, new, show = gates.chunk(4, dim=-1)
            memory = torch.sigmoid(keep) * memory + torch.sigmoid(enter) * torch.tanh(new)
            hidden = torch.sigmoid(show) * torch.tanh(memory)
            answers.append(hidden)
        after = {"hidden": _from_columns(hidden, columns), "memory": _from_columns(memory, columns)}
        shown = torch.stack(answers) if answers else hidden.new_zeros(0, *hidden.shape)
        return self._outputs(shown, columns), after

    def _outputs(self, hidden: Tensor, columns: Sequence[int]) -> Tensors:
        """Return the fields (time, *lead, cell) from hidden states (time, task, column, unit)."""
        raw = (torch.einsum("tkcu,kuo->tkco", self.dropout(hidden), self.head) + self.head_bias).squeeze(-1)
        raw = raw.reshape(len(hidden), len(TASKS), *columns)
        low, high = MOISTURE
        fluxes = {}
        for index, name in enumerate(TASKS[1:], start=1):
            mean, std = self.scaling.moments(name)
            fluxes[name] = raw[:, index] * std + mean
        return {TASKS[0]: low + (high - low) * torch.sigmoid(raw[:, 0]), **fluxes}


def _drawn(shape: tuple[int, ...], width: float, generator: torch.Generator | None) -> Tensor:
    return torch.empty(shape).uniform_(-width, width, generator=generator)


def _to_columns(value: Tensor) -> Tensor:
    """Return (*lead, task, unit, cell) as (task, lead * cell, unit)."""
    return value.movedim(-1, -3).flatten(0, -3).transpose(0, 1).contiguous()


def _from_columns(value: Tensor, columns: Sequence[int]) -> Tensor:
    """Return (task, lead * cell, unit) as (*lead, task, unit, cell)."""
    return value.transpose(0, 1).reshape(*columns, *value.shape[::2]).movedim(-3, -1).contiguous()
