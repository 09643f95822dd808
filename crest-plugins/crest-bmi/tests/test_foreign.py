"""Models that others wrote, or could have: HBV of eWaterCycle (PyPI, Apache-2.0) and a heated plate on bare bmipy."""

import json

import numpy as np
import pytest
import torch
import xarray as xr
from bmipy import Bmi
from crest_bmi import BmiComponent
from HBV import HBV as EWaterCycleHBV

from crest_core import FieldSpec, Graph, Sizes, StateError, StepComponent

DAYS = 30


@pytest.fixture
def config(tmp_path):
    """Return a configuration of HBV 1.5.2 with synthetic weather, which it reads from files itself."""
    generator = np.random.default_rng(7)
    times = np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
    weather = {
        "pr": generator.gamma(0.4, 12.0, DAYS),
        "evspsblpot": np.full(DAYS, 1.5),
        "tas": 4.0 * np.sin(np.arange(DAYS) / 3.0) + 1.0,
    }
    for name, values in weather.items():
        xr.Dataset({name: ("time", values)}, {"time": times}).to_netcdf(tmp_path / f"{name}.nc")
    keys = {"precipitation_file": "pr", "potential_evaporation_file": "evspsblpot", "mean_temperature_file": "tas"}
    content = {key: str(tmp_path / f"{name}.nc") for key, name in keys.items()}
    content |= {"parameters": "2,0.9,245,2,1.5,3,0.1,0.05,2.5", "initial_storage": "0,100,0,5,0"}
    (tmp_path / "hbv.json").write_text(json.dumps(content))
    return tmp_path / "hbv.json"


def bare(config, days):
    """Return what a program without CREST gets of HBV."""
    model, flows = EWaterCycleHBV(), []
    model.initialize(str(config))
    for _ in range(days):
        model.update()
        flows.append(model.get_value("Q", np.empty(1))[0])
    return flows


class River(StepComponent):
    """A linear store behind the catchment."""

    inputs = (FieldSpec(name="inflow", units="mm day-1", standard_name="runoff_flux"),)
    outputs = (FieldSpec(name="discharge", units="mm day-1"),)
    states = (FieldSpec(name="water", units="mm", cell_methods="time: point"),)

    def initial_state(self, sizes):
        return {"water": sizes.zeros(self.states[0])}

    def step(self, state, inputs, time):
        water = 0.5 * (state["water"] + inputs["inflow"])
        return {"discharge": water}, {"water": water}


def test_hbv_of_ewatercycle_runs_as_it_does_alone_and_couples(config):
    fields = {"Q": {"name": "runoff", "standard_name": "runoff_flux"}}
    hbv = BmiComponent(EWaterCycleHBV, config, inputs=(), outputs=("Q",), fields=fields)
    assert hbv.opaque and hbv.timestep == "1D" and hbv.outputs[0].units == "mm/d"
    graph = Graph({"hbv": hbv, "river": River()})
    state = graph.initial_state(Sizes({"cell": 1}, dtype=torch.float64))
    outputs, _ = graph(state, {}, range(DAYS - 1))
    flows = bare(config, DAYS - 1)
    assert max(flows) > 0.0 and outputs["runoff"].double().flatten().tolist() == pytest.approx(flows, rel=1e-6)
    assert outputs["discharge"][0].item() == pytest.approx(flows[0] / 2)


def test_hbv_that_reads_its_weather_by_its_own_clock_is_no_function_of_its_stores(config):
    stores = ("Si", "Su", "Sf", "Ss", "Sp")
    with pytest.raises(StateError, match="are not all that it remembers: .* leave states= out: the model is then opaq"):
        BmiComponent(EWaterCycleHBV, config, inputs=("Imax",), outputs=("Q",), states=stores,
                     fields={"Imax": {"bounds": (1.0, 3.0)}})  # fmt: skip


class Plate(Bmi):
    """A heated plate with cold edges, on arrays (y, x): the subject with which BMI is taught."""

    def initialize(self, config_file):
        self.values = {"temperature": np.zeros((4, 5)), "heating": np.zeros((4, 5)), "alpha": np.array(1.0)}
        self.values["temperature"][1, 2] = 100.0
        self.time = 0.0

    def update(self):
        old = self.values["temperature"]
        new = old.copy()
        around = old[2:, 1:-1] + old[:-2, 1:-1] + old[1:-1, 2:] + old[1:-1, :-2] - 4.0 * old[1:-1, 1:-1]
        new[1:-1, 1:-1] += 0.1 * self.values["alpha"] * around
        self.values["temperature"] = new + self.values["heating"]
        self.time += 1.0

    def update_until(self, time):
        while self.time < time:
            self.update()

    def finalize(self):
        self.values = {}

    def get_component_name(self):
        return "plate"

    def get_input_item_count(self):
        return 1

    get_output_item_count = get_input_item_count

    def get_input_var_names(self):
        return ("heating",)

    def get_output_var_names(self):
        return ("temperature",)

    def get_var_grid(self, name):
        return 0 if name == "alpha" else 1

    def get_var_type(self, name):
        return "float"

    def get_var_units(self, name):
        return {"temperature": "K", "heating": "K s-1", "alpha": "m2 s-1"}[name]

    def get_var_itemsize(self, name):
        return 8

    def get_var_nbytes(self, name):
        return self.values[name].nbytes

    def get_var_location(self, name):
        return "node"

    def get_current_time(self):
        return self.time

    def get_start_time(self):
        return 0.0

    def get_end_time(self):
        return 1e300

    def get_time_units(self):
        return "s"

    def get_time_step(self):
        return 1.0

    def get_value(self, name, dest):
        dest[:] = self.values[name].flatten()
        return dest

    def get_value_ptr(self, name):
        return self.values[name]

    def get_value_at_indices(self, name, dest, inds):
        dest[:] = self.values[name].take(inds)
        return dest

    def set_value(self, name, src):
        self.values[name][...] = src.reshape(self.values[name].shape)

    def set_value_at_indices(self, name, inds, src):
        self.values[name].flat[inds] = src

    def get_grid_rank(self, grid):
        return 2

    def get_grid_size(self, grid):
        return 20

    def get_grid_type(self, grid):
        return "rectilinear"

    def get_grid_shape(self, grid, shape):
        shape[:] = 4, 5
        return shape

    def left_out(self, *arguments):
        raise NotImplementedError("no such grid here")

    get_grid_spacing = get_grid_origin = get_grid_x = get_grid_y = get_grid_z = left_out
    get_grid_node_count = get_grid_edge_count = get_grid_face_count = get_grid_edge_nodes = left_out
    get_grid_face_edges = get_grid_face_nodes = get_grid_nodes_per_face = left_out


def in_torch(heating, alpha):
    """Return the temperature after all steps, with gradients."""
    values = torch.zeros(2, 4, 5, dtype=torch.float64)
    values[:, 1, 2] = 100.0
    for step in heating:
        inner = values[:, 1:-1, 1:-1]
        around = values[:, 2:, 1:-1] + values[:, :-2, 1:-1] + values[:, 1:-1, 2:] + values[:, 1:-1, :-2] - 4.0 * inner
        values = values + torch.nn.functional.pad(0.1 * alpha * around, (1, 1, 1, 1)) + step
    return values


def test_a_plate_on_bare_bmipy_has_the_values_and_gradients_of_its_copy_in_torch():
    bounds = {"alpha": {"bounds": (0.1, 2.0)}}
    plate = BmiComponent(Plate, states=("temperature",), parameters=("alpha",), fields=bounds)
    heating = torch.zeros(3, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    state = plate.initial_state(Sizes({"y": 4, "x": 5}, lead=(2,)))
    outputs, _ = plate(state, {"heating": heating}, range(3))
    weights = torch.rand(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (outputs["temperature"][-1] * weights).sum().backward()
    alpha = plate.physical.values(torch.float64)["alpha"].detach().requires_grad_()
    twin = heating.detach().clone().requires_grad_()
    expected = in_torch(twin, alpha)
    (expected * weights).sum().backward()
    assert torch.allclose(outputs["temperature"][-1], expected, rtol=1e-12)
    assert torch.allclose(heating.grad, twin.grad, rtol=1e-6, atol=1e-9)
    slope = (alpha.grad * (alpha - 0.1) * (2.0 - alpha) / 1.9).item()
    assert plate.physical.raw["alpha"].grad.item() == pytest.approx(slope, rel=1e-6)
