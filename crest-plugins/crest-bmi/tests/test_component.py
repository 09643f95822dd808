"""A BMI model as a component: what it says of itself, and every way in which it can be refused."""

import numpy as np
import pytest
import torch
import xarray as xr
from crest_bmi import BmiComponent

from crest_core import (
    ComponentError,
    FieldError,
    Graph,
    GridError,
    RectilinearGrid,
    Sizes,
    StateError,
    TimeError,
    simulate,
)


def settable(models, **options):
    return BmiComponent(options.pop("model", models.Reservoir), **{"states": ("water",)} | options)


def rain(*values):
    return {"rain": torch.tensor(values, dtype=torch.float64)}


def weather(days=6, cells=3):
    values = 5.0 + 4.0 * np.sin(np.arange(days * cells).reshape(days, cells))
    times = np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    return xr.Dataset({"rain": (("time", "cell"), values, {"units": "mm day-1"})}, {"time": times})


def test_fields_and_timestep_come_from_the_model_and_the_author_adds_to_them(models):
    component = settable(
        models, fields={"rain": {"standard_name": "precipitation_flux"}, "flow": {"name": "runoff"}}, parameters=("k",)
    )
    (given,), (flow,), (water,) = component.inputs, component.outputs, component.states
    assert (given.units, given.dims, given.standard_name) == ("mm day-1", ("cell",), "precipitation_flux")
    assert (flow.name, flow.units, water.statistic) == ("runoff", "mm day-1", "point")
    assert component.parameter_specs[0].dims == () and component.physical.raw["k"].item() == pytest.approx(0.1)
    assert (component.timestep, component.gradient_policy, component.opaque) == ("1D", "finite_difference", False)
    assert "BMI model reservoir, configuration sha256" in repr(component)


def test_a_model_of_one_place_runs_for_any_number_of_cells(models):
    component = settable(models)
    state = component.initial_state(Sizes({"cell": 3}))
    outputs, after = component.step(state, rain(0.0, 5.0, 9.0), 0)
    assert outputs["flow"].tolist() == [1.0, 1.0, 1.0]
    assert after["water"].tolist() == [9.0, 14.0, 18.0] and after["water"].dtype == torch.float64


def test_layers_of_one_column_stand_before_the_cells(models):
    fields = {"water": {"dims": ("soil_layer", "cell")}}
    component = BmiComponent(models.Layered, states=("water",), fields=fields)
    assert component.dim_sizes == {"soil_layer": 2}
    state = component.initial_state(Sizes({"cell": 3}, lead=(2,)))
    outputs, _ = component.step(state, {"rain": torch.tensor([0.0, 1.0, 2.0]).expand(2, 3)}, 0)
    assert outputs["water"].shape == (2, 2, 3)
    assert outputs["water"][1].tolist() == [[0.5, 1.5, 2.5], [2.5, 2.5, 2.5]]
    assert component.grids["water"].axes["x"].tolist() == [0.1, 0.5]


def test_states_that_are_not_all_are_an_error_that_names_what_differs(models):
    with pytest.raises(StateError, match=r"states \['water'\] are not all that it remembers: .* another 'flow' than"):
        settable(models, model=models.Hidden)
    with pytest.raises(StateError, match=r"leave states= out: the model is then opaque, without gradient and restart"):
        settable(models, states=())


def test_a_state_that_cannot_be_set_is_an_error(models):
    class Stubborn(models.Reservoir):
        def set_value(self, name, src):
            if name == "rain":
                super().set_value(name, src)

    class Refusing(models.Reservoir):
        def set_value(self, name, src):
            if name == "water":
                raise NotImplementedError
            super().set_value(name, src)

    with pytest.raises(StateError, match=r"state 'water' is \[.*\] after set_value of \[.*\]; name all"):
        settable(models, model=Stubborn)
    with pytest.raises(StateError, match=r"set_value\('water'\) raised NotImplementedError; a state must take"):
        settable(models, model=Refusing)


def test_a_trial_can_be_given_the_inputs_that_matter(models):
    class Rare(models.Hidden):
        """Remembers only heavy rain."""

        def advance(self):
            super().advance()
            self.memory = self.memory if self.memory > 50 else 0.0

    assert settable(models, model=Rare).states
    with pytest.raises(StateError, match="not all that it remembers"):
        settable(models, model=Rare, trial={"rain": (0.0, 100.0, 0.0, 0.0)})
    with pytest.raises(FieldError, match=r"trial=\{'snow': ...\}: expected 4 values or more of one of \['rain'\]"):
        settable(models, trial={"snow": (1.0, 2.0, 3.0, 4.0)})


@pytest.mark.parametrize("late", [6, 9])
def test_a_longer_trial_finds_what_a_model_hides_at_first(models, late):
    class Late(models.Reservoir):
        """Its flow doubles after some steps of its own."""

        def advance(self):
            self.memory += 1
            super().advance()
            self.v["flow"] *= 2 if self.memory > late else 1

    assert settable(models, model=Late).states
    for trial in (10, {"rain": range(10)}):
        with pytest.raises(StateError, match="not all that it remembers"):
            settable(models, model=Late, trial=trial)
    assert settable(models, trial=10).states


def test_a_trial_of_too_few_or_unequal_steps_is_an_error(models):
    for trial in (0, 3, -1, True):
        with pytest.raises(FieldError, match=rf"trial={trial}: expected 4 steps or more"):
            settable(models, trial=trial)
    with pytest.raises(FieldError, match=r"expected 4 values or more of one of \['rain'\], as many .*, got 3"):
        settable(models, trial={"rain": (1.0, 2.0, 3.0)})


@pytest.mark.parametrize("text", ["-", "C", "none", "", "mmday", "unitless"])
def test_units_that_are_not_understood_name_the_variable_and_can_be_overridden(models, text):
    model = models.variant(models.Reservoir, units=models.Reservoir.units | {"flow": text})
    with pytest.raises(FieldError, match=r"BMI model reservoir: output 'flow': .*fields=\{'flow': \{'units': ...\}\}"):
        settable(models, model=model)
    assert settable(models, model=model, fields={"flow": {"units": "mm day-1"}}).outputs[0].units == "mm day-1"


@pytest.mark.parametrize(
    ("text", "step", "expected"),
    [
        ("s", 3600.0, "3600s"),
        ("days", 1.0, "1D"),
        ("h", 6.0, "21600s"),
        ("seconds since 1970-01-01 +0000", 86400, "1D"),
    ],
)
def test_the_timestep_is_read_in_the_units_of_the_model(models, text, step, expected):
    model = models.variant(models.Reservoir, seconds=step, get_time_units=lambda self: text)
    assert settable(models, model=model).timestep == expected


@pytest.mark.parametrize(
    ("text", "step", "message"),
    [
        ("years", 1.0, "time units 'years' have no fixed length"),
        ("m", 1.0, "time units 'm' are no time"),
        ("-", 1.0, "override it with timestep='1D'"),
        ("s", 0.5, "a time step of 0.5 s is not a whole number of seconds"),
    ],
)
def test_a_timestep_that_cannot_be_used_is_an_error(models, text, step, message):
    model = models.variant(models.Reservoir, seconds=step, get_time_units=lambda self: text)
    with pytest.raises(TimeError, match=message):
        settable(models, model=model)


def test_a_trial_that_the_model_cannot_take_says_what_it_was_given(models):
    with pytest.raises(ComponentError, match=r"overflows in step 2.*the trial of states.*with rain=1000: give input"):
        settable(models, trial={"rain": (0.0, 1000.0, 0.0, 0.0)})


def test_a_time_step_that_varies_or_goes_backwards_is_an_error(models):
    with pytest.raises(ComponentError, match=r"update\(\) went from time 86400 to 259200 in step 2, expected 86400 on"):
        settable(models, model=models.Erratic)

    class Backwards(models.Reservoir):
        def advance(self):
            super().advance()
            self._now -= 2 * self._seconds

    with pytest.raises(ComponentError, match="went from time 0 to -86400 in step 1"):
        settable(models, model=Backwards)


def test_other_columns_than_the_grid_of_the_model_are_an_error(models):
    component = settable(models, model=models.Lateral)
    with pytest.raises(GridError, match=r"expected \(3,\) places along \('cell',\), the grid of the model, got \(4,\)"):
        component.initial_state(Sizes({"cell": 4}))
    with pytest.raises(GridError, match=r"expected \(3,\) places"):
        component.step({"water": torch.ones(4)}, rain(1.0, 1.0, 1.0, 1.0), 0)
    with pytest.raises(GridError, match=r"expected \(3,\) places"):
        simulate(Graph({"store": component}), weather(cells=2))


def test_variables_that_no_column_can_hold_are_errors(models):
    edges = models.variant(models.Lateral, get_var_location=lambda self, name: "edge" if name == "rain" else "node")
    with pytest.raises(GridError, match=r"variable 'rain' on grid 1 \(unstructured\) lies on 'edge'"):
        settable(models, model=edges)
    odd = models.variant(models.Lateral, get_grid_type=lambda self, grid: "spiral" if grid else "scalar")
    with pytest.raises(GridError, match="unknown type; expected scalar, points"):
        settable(models, model=odd)
    small = models.variant(models.Lateral, get_grid_size=lambda self, grid: 2 if grid else 1)
    with pytest.raises(GridError, match="holds 3 numbers, but the grid has 2 places"):
        settable(models, model=small)


def test_a_map_has_the_dims_y_and_x(models):
    def shape(self, grid, values):
        values[:] = 2, 3
        return values

    def corner(self, grid, values):
        values[:] = 50.0, 8.0
        return values

    grid = {"get_grid_type": lambda self, grid: "uniform_rectilinear" if grid else "scalar"}
    grid |= {"get_grid_rank": lambda self, grid: 2, "get_grid_shape": shape}
    grid |= {"get_grid_origin": corner, "get_grid_spacing": lambda self, grid, values: np.full(2, 0.5)}
    component = settable(models, model=models.variant(models.Reservoir, cells=6, **grid))
    assert component.inputs[0].dims == ("y", "x")
    found = component.grids["rain"]
    assert RectilinearGrid(found.axes["y"], found.axes["x"]).sizes == {"y": 2, "x": 3}
    state = component.initial_state(Sizes({"y": 2, "x": 3}, lead=(4,)))
    outputs, _ = component.step(state, {"rain": torch.rand(4, 2, 3)}, 0)
    assert outputs["flow"].shape == (4, 2, 3)


def test_a_configuration_that_is_missing_or_wrong_names_the_function(models, tmp_path):
    with pytest.raises(ComponentError, match=r"configuration '.*absent.txt' is no file"):
        settable(models, config_file=tmp_path / "absent.txt")
    config = tmp_path / "config.txt"
    config.write_text("many")
    with pytest.raises(ComponentError, match=r"BMI model Reservoir: initialize\('.*'\) raised ValueError: invalid lit"):
        settable(models, config_file=config)
    config.write_text("4")
    assert settable(models, config_file=config).initial_state(Sizes({"cell": 4}))["water"].shape == (4,)
    with pytest.raises(ComponentError, match="raised TypeError.*give a class of bmipy.Bmi"):
        BmiComponent(lambda config: None)


def test_a_failure_names_component_time_step_and_function(models):
    graph = Graph({"store": settable(models)})
    state = graph.initial_state(Sizes({"cell": 1}))
    series = torch.tensor([[1.0], [999.0]])
    with pytest.raises(ComponentError, match=r"component store at .*BMI model reservoir, step at day 2: update\(\) r"):
        graph(state, {"rain": series}, ["day 1", "day 2"])
    outputs, _ = graph(state, {"rain": series[:1]}, ["day 1"])
    assert float(outputs["flow"]) == 1.0


def test_roles_that_contradict_each_other_are_errors(models):
    with pytest.raises(FieldError, match=r"\['water'\] are named twice among inputs, states and parameters"):
        settable(models, inputs=("rain", "water"))
    with pytest.raises(FieldError, match="no outputs; name variables in outputs="):
        settable(models, outputs=())
    with pytest.raises(FieldError, match="neither inputs nor states; a model that only follows its clock is opaque"):
        settable(models, inputs=(), states=())
    with pytest.raises(FieldError, match=r"fields= names 'rian'; did you mean 'rain'"):
        settable(models, fields={"rian": {"units": "mm"}})
    with pytest.raises(FieldError, match=r"cannot have \['windwo'\] overridden"):
        settable(models, fields={"rain": {"windwo": 2}})
    with pytest.raises(FieldError, match=r"two outputs would be called \['flow'\]"):
        settable(models, outputs=("flow", "water"), fields={"water": {"name": "flow"}})
    with pytest.raises(ComponentError, match=r"get_var_type\('snow'\) raised"):
        settable(models, outputs=("snow",))
    with pytest.raises(FieldError, match=r"variable 'rain' has grid scalar \(\), which the dims \('y', 'x', 'z'\)"):
        settable(models, fields={"rain": {"dims": ("y", "x", "z")}})
