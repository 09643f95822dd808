"""Small models and synthetic weather for tests; none of them is meant to describe a real place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from crest_core.blackbox import BlackBoxComponent
from crest_core.component import SequenceComponent, Sizes, StepComponent, Tensors
from crest_core.gradients import FiniteDifference, Gradient
from crest_core.parameters import PhysicalParameters
from crest_fields.fields import FieldSpec

RAIN = FieldSpec(name="precipitation", units="mm day-1", standard_name="precipitation_flux", bounds=(0.0, 500.0))
POTENTIAL = FieldSpec(
    name="potential_evaporation", units="mm day-1", standard_name="water_potential_evaporation_flux",
    bounds=(-5.0, 30.0),
)  # fmt: skip
EVAPORATION = FieldSpec(
    name="evapotranspiration", units="mm day-1", standard_name="water_evapotranspiration_flux", positive="up",
    bounds=(-50.0, 50.0),
)  # fmt: skip
STORAGE = FieldSpec(
    name="storage", units="kg m-2", standard_name="mass_content_of_water_in_soil", cell_methods="time: point",
    bounds=(-200.0, 2000.0),
)  # fmt: skip
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux", bounds=(-500.0, 600.0))
CAPACITY = FieldSpec(name="capacity", units="mm", dims=(), static=True, bounds=(10.0, 500.0))
SHAPE = FieldSpec(name="shape", units="1", dims=(), static=True, bounds=(0.5, 6.0))


class TorchBucket(StepComponent):
    """S' = S + P - E - Q with Q = P s^b + k s^2, s = softplus(S) / capacity; smooth everywhere; 1 mm = 1 kg m-2."""

    inputs = (RAIN, EVAPORATION)
    outputs = (STORAGE, RUNOFF)
    states = (STORAGE,)
    parameter_specs = (CAPACITY, SHAPE)

    def __init__(self, capacity: float = 100.0, shape: float = 2.0) -> None:
        super().__init__()
        self.physical = PhysicalParameters(self.parameter_specs, {"capacity": capacity, "shape": shape})

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return 50 mm everywhere."""
        return {"storage": sizes.full(STORAGE, 50.0)}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return storage at the end, and runoff."""
        values = self.physical.values()
        share = nn.functional.softplus(state["storage"]) / values["capacity"]
        runoff = inputs["precipitation"] * torch.tanh(share ** values["shape"]) + 2.0 * share**2
        storage = state["storage"] + inputs["precipitation"] - inputs["evapotranspiration"] - runoff
        return {"storage": storage, "runoff": runoff}, {"storage": storage}


class NumpyBucket(BlackBoxComponent):
    """The equations of TorchBucket in numpy, which torch cannot see into."""

    inputs, outputs, states = TorchBucket.inputs, TorchBucket.outputs, TorchBucket.states
    parameter_specs = TorchBucket.parameter_specs

    def __init__(self, capacity: float = 100.0, shape: float = 2.0, gradient: Gradient | None = None) -> None:
        super().__init__(gradient=gradient or FiniteDifference(), parameters={"capacity": capacity, "shape": shape})
        self.calls = 0

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return 50 mm everywhere, float64."""
        return {"storage": sizes.full(STORAGE, 50.0).double()}

    def evaluate(self, state: Tensors, inputs: Tensors, parameters: Tensors) -> tuple[Tensors, Tensors]:
        """Return storage and runoff."""
        self.calls += 1
        old, rain = state["storage"].numpy(), inputs["precipitation"].numpy()
        share = np.logaddexp(old, 0.0) / parameters["capacity"].numpy()
        runoff = rain * np.tanh(share ** parameters["shape"].numpy()) + 2.0 * share**2
        storage = torch.from_numpy(old + rain - inputs["evapotranspiration"].numpy() - runoff)
        return {"storage": storage, "runoff": torch.from_numpy(runoff)}, {"storage": storage}


class Stress(StepComponent):
    """E = PET * sigmoid((S - threshold) / 20 mm): evaporation that a drying soil limits."""

    inputs = (POTENTIAL, STORAGE)
    outputs = (EVAPORATION,)

    def __init__(self, threshold: float = 40.0) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(threshold))

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return evapotranspiration."""
        share = torch.sigmoid((inputs["storage"] - self.threshold) / 20.0)
        return {"evapotranspiration": inputs["potential_evaporation"] * share}, {}


class LinearReservoir(StepComponent):
    """q = k S, dS/dt = inflow - q, explicit: a linear model with a state."""

    inputs = (RUNOFF,)
    outputs = (
        FieldSpec(name="streamflow", units="mm day-1", standard_name="water_volume_transport_per_area", bounds=None),
    )
    states = (FieldSpec(name="stored", units="mm", cell_methods="time: point"),)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return an empty reservoir."""
        return {"stored": sizes.zeros(self.states[0])}

    def step(self, state: Tensors, inputs: Tensors, time: Any) -> tuple[Tensors, Tensors]:
        """Return streamflow."""
        stored = state["stored"] + inputs["runoff"]
        return {"streamflow": 0.2 * stored}, {"stored": 0.8 * stored}


class SmallLSTM(SequenceComponent):
    """Rain to runoff by an LSTM over (cell) columns, its hidden and cell state explicit."""

    inputs = (RAIN,)
    outputs = (RUNOFF,)

    def __init__(self, hidden: int = 6, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.dim_sizes = {"hidden": hidden}
        self.states = tuple(
            FieldSpec(name=name, units="1", dims=("hidden", "cell"), cell_methods="time: point") for name in ("h", "c")
        )
        self.lstm, self.head = nn.LSTM(1, hidden), nn.Linear(hidden, 1)
        if generator is not None:
            for parameter in self.parameters():
                nn.init.normal_(parameter, std=0.3, generator=generator)

    def initial_state(self, sizes: Sizes) -> Tensors:
        """Return zeros."""
        return {spec.name: sizes.zeros(spec) for spec in self.states}

    def sequence(self, state: Tensors, inputs: Tensors, times: Sequence[Any]) -> tuple[Tensors, Tensors]:
        """Return runoff (time, *lead, cell)."""
        rain = inputs["precipitation"]
        shape = rain.shape[1:]
        h, c = (self._flat(state[name]) for name in ("h", "c"))
        features, (h, c) = self.lstm(rain.reshape(len(rain), -1, 1), (h, c))
        runoff = self.head(features).reshape(rain.shape)
        return {"runoff": runoff}, {"h": self._full(h, shape), "c": self._full(c, shape)}

    def _flat(self, value: Tensor) -> Tensor:
        return value.movedim(-2, -1).reshape(1, -1, value.shape[-2]).contiguous()

    def _full(self, value: Tensor, shape: torch.Size) -> Tensor:
        return value.reshape(*shape, -1).movedim(-1, -2)


def weather(
    days: int, cells: int = 1, *, start: str = "2001-01-01", calendar: str = "standard", seed: int
) -> xr.Dataset:
    """Return synthetic daily rain and potential evaporation (time, cell) with CF attributes."""
    random = np.random.default_rng(seed)
    time = xr.date_range(start, periods=days, freq="1D", calendar=calendar, use_cftime=calendar != "standard")
    rain = random.exponential(6.0, (days, cells)) * (random.random((days, cells)) < 0.4)
    season = 2.0 - 1.8 * np.cos(2 * np.pi * np.arange(days) / 365.25)
    potential = np.clip(season[:, None] + random.normal(0, 0.4, (days, cells)), 0, None)
    data = {
        "precipitation": (("time", "cell"), rain, _attributes(RAIN)),
        "potential_evaporation": (("time", "cell"), potential, _attributes(POTENTIAL)),
    }
    north = {"units": "degrees_north", "standard_name": "latitude"}
    return xr.Dataset(data, {"time": time, "lat": ("cell", 50.0 + np.arange(cells) * 0.1, north)})


def _attributes(spec: FieldSpec) -> dict[str, str]:
    return {"units": spec.units, "standard_name": spec.standard_name, "cell_methods": "time: mean"}
