"""A CREST graph as a BMI model: NextGen's rules, both round trips, the configuration file."""

import sys
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from bmipy import Bmi
from crest_bmi import BmiComponent, as_bmi

from crest_core import (
    ComponentError,
    Connection,
    FieldError,
    FieldSpec,
    Graph,
    PointGrid,
    Sizes,
    StateError,
    StepComponent,
    TimeError,
    simulate,
)
from crest_core.testing import TorchBucket

FORCING = {"precipitation": 3.0, "evapotranspiration": 1.0}


def begun(kind, config=""):
    model = kind()
    model.initialize(str(config))
    return model


def bucket(**options):
    return as_bmi(Graph({"bucket": TorchBucket()}), **{"forcing": FORCING, "dtype": torch.float64} | options)


def value(model, name):
    return model.get_value(name, np.empty(model.get_var_nbytes(name) // model.get_var_itemsize(name)))


def series(days=5, cells=3):
    times = np.datetime64("2001-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    values = np.random.default_rng(4).gamma(0.7, 5.0, (days, cells))
    units = {"units": "mm day-1"}
    data = {name: (("time", "cell"), share * values, units) for name, share in zip(FORCING, (1, 0.1), strict=True)}
    return xr.Dataset(data, {"time": times})


def test_the_rules_of_nextgen_are_kept():
    model = begun(bucket())
    assert isinstance(model, Bmi)
    assert (model.get_time_units(), model.get_start_time(), model.get_time_step()) == ("s", 0.0, 86400.0)
    assert model.get_end_time() == sys.float_info.max
    assert set(model.get_input_var_names()) == {"evapotranspiration", "precipitation"}
    assert (model.get_input_item_count(), model.get_output_item_count()) == (2, 2)
    assert not set(model.get_input_var_names()) & set(model.get_output_var_names())
    assert model.get_var_type("runoff") == "float64" and model.get_var_nbytes("runoff") == 8
    with pytest.warns(UserWarning, match=r"set_value\('nonsense'\) is left out: no such input"):
        model.set_value("nonsense", np.ones(1))
    with pytest.warns(UserWarning, match=r"set_value\('runoff'\) is left out"):
        model.set_value_at_indices("runoff", np.zeros(1, int), np.ones(1))
    model.update_until(3 * 86400.0)
    assert model.get_current_time() == 3 * 86400.0
    for time in (2 * 86400.0, 3.5 * 86400.0):
        with pytest.raises(TimeError, match=r"expected a whole number of steps of 86400 s forward"):
            model.update_until(time)


class Seasonal(StepComponent):
    """Gives the day of the year that it is told."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (FieldSpec(name="day", units="1"),)

    def step(self, state, inputs, time):
        return {"day": 0 * inputs["rain"] + time.dayofyr}, {}


def test_components_get_dates_with_and_without_a_start():
    for start, day in ((None, 2.0), ("2001-03-01", 61.0)):
        model = begun(as_bmi(Seasonal(), forcing={"rain": 0.0}, start=start))
        model.update_until(2 * 86400.0)
        assert value(model, "day") == day


def test_a_pointer_is_the_same_array_for_ever_and_flat_in_c_order():
    model = begun(bucket(grid=3))
    pointers = {name: model.get_value_ptr(name) for name in ("runoff", "precipitation", "state.bucket.storage")}
    model.set_value("precipitation", np.array([0.0, 5.0, 9.0]))
    model.update()
    assert all(model.get_value_ptr(name) is pointer for name, pointer in pointers.items())
    assert pointers["runoff"].shape == (3,) and np.all(np.diff(pointers["runoff"]) > 0)
    assert model.get_value_at_indices("runoff", np.empty(1), np.array([2]))[0] == pointers["runoff"][2]


def test_inputs_that_nobody_set_and_values_of_another_size_are_errors():
    model = begun(bucket(forcing={"precipitation": 1.0}))
    with pytest.raises(
        ComponentError, match=r"at 1970-01-01 00:00:00: the inputs \['evapotranspiration'\] hold nan; set_value them"
    ):
        model.update()
    model.set_value("evapotranspiration", np.ones(1))
    model.update()
    with pytest.raises(FieldError, match=r"set_value\('precipitation'\): expected 1 numbers, got 2"):
        model.set_value("precipitation", np.ones(2))
    with pytest.raises(ComponentError, match=r"GraphBmi has no variable 'runof'; did you mean 'runoff'"):
        model.get_var_units("runof")
    with pytest.raises(ComponentError, match="has no grid 7, only 0 to 0"):
        model.get_grid_type(7)
    model.finalize()
    with pytest.raises(ComponentError, match="has no variable 'runoff'; initialize first"):
        value(model, "runoff")


def test_a_run_over_a_dataset_is_what_simulate_gives():
    forcing = series()
    expected = simulate(TorchBucket(), forcing, dtype=torch.float64)["runoff"].values
    model = begun(bucket(forcing=forcing))
    found = []
    for _ in range(5):
        model.update()
        found.append(value(model, "runoff").copy())
    assert np.allclose(found, expected, rtol=1e-12, atol=0.0)
    with pytest.raises(ComponentError, match="at 2001-01-06 00:00:00: the inputs .* hold nan"):
        model.update()
    member = forcing.expand_dims(member=2)
    with pytest.raises(ComponentError, match="a dim member or sample, which BMI does not know"):
        begun(bucket(forcing=member))


def test_the_round_trip_gives_the_same_results_and_gradients():
    kind = bucket()
    back = BmiComponent(kind, states=kind.state_names())
    own, forcing = Graph({"bucket": TorchBucket()}), series()
    expected, found = (simulate(model, forcing, dtype=torch.float64)["runoff"].values for model in (own, back))
    assert np.allclose(found, expected, rtol=1e-12, atol=0.0)
    gradients = []
    for model in (own, back):
        rain = torch.full((4, 1), 6.0, dtype=torch.float64, requires_grad=True)
        state = model.initial_state(Sizes({"cell": 1}, dtype=torch.float64))
        inputs = {"precipitation": rain, "evapotranspiration": torch.ones(4, 1, dtype=torch.float64)}
        model(state, inputs, range(4))[0]["runoff"].sum().backward()
        gradients.append(rain.grad)
    assert torch.allclose(gradients[1], gradients[0], rtol=1e-6)
    assert not BmiComponent(bucket(grid=3), states=kind.state_names(), independent_columns=True).opaque


def test_instances_and_the_graph_share_nothing():
    graph = Graph({"bucket": TorchBucket()})
    kind = as_bmi(graph, forcing=FORCING)
    first, second = begun(kind), begun(kind)
    first.update()
    assert np.isnan(value(second, "runoff")[0])
    second.update()
    assert value(first, "runoff") == value(second, "runoff")
    assert first._graph is not second._graph and first._graph is not graph


class Layers(StepComponent):
    inputs = (FieldSpec(name="storage", units="mm"),)
    outputs = (FieldSpec(name="wetness", units="1", dims=("soil_layer", "cell")),)
    dim_sizes = {"soil_layer": 2}
    layers = {"soil_layer": ((0.0, 0.2), (0.2, 1.0))}

    def step(self, state, inputs, time):
        return {"wetness": torch.stack([inputs["storage"], 2 * inputs["storage"]])}, {}


def test_cells_and_layers_are_grids_with_coordinates():
    model = begun(
        as_bmi(Layers(), grid=PointGrid([50.0, 51.0, 52.0], [8.0, 9.0, 10.0]), forcing={"storage": [1, 2, 3]})
    )
    cells, layers = model.get_var_grid("storage"), model.get_var_grid("wetness")
    assert (model.get_grid_type(cells), model.get_grid_rank(cells), model.get_grid_size(cells)) == (
        "unstructured",
        2,
        3,
    )
    assert model.get_grid_x(cells, np.empty(3)).tolist() == [8.0, 9.0, 10.0]
    assert model.get_grid_y(cells, np.empty(3)).tolist() == [50.0, 51.0, 52.0]
    assert model.get_grid_shape(layers, np.empty(2, int)).tolist() == [2, 3]
    assert model.get_grid_y(layers, np.empty(2)).tolist() == [0.1, 0.6]
    model.update()
    assert value(model, "wetness").tolist() == [1.0, 2.0, 3.0, 2.0, 4.0, 6.0]
    lone = begun(as_bmi(Layers(), forcing={"storage": 1.0}))
    assert lone.get_grid_type(lone.get_var_grid("storage")) == "scalar"
    assert lone.get_grid_shape(lone.get_var_grid("wetness"), np.empty(1, int)).tolist() == [2]


class OnMap(StepComponent):
    """Remembers yesterday's rain, on a grid of its own."""

    grid = "map"
    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    outputs = (FieldSpec(name="before", units="mm day-1"),)
    states = (FieldSpec(name="mem", units="mm day-1"),)

    def initial_state(self, sizes):
        return {"mem": sizes.full(self.states[0], 0.0)}

    def step(self, state, inputs, time):
        return {"before": state["mem"]}, {"mem": inputs["rain"]}


class Ends(StepComponent):
    """Takes what it gave the day before, on the grid of the run."""

    inputs = (FieldSpec(name="yesterday", units="mm day-1"),)
    outputs = (FieldSpec(name="today", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"today": inputs["yesterday"] + 1}, {}


def test_states_lie_where_their_component_lies():
    own = PointGrid([50.0, 51.0, 52.0], [7.0, 8.0, 10.0])
    back = Connection("ends.today", "ends.yesterday", lagged=True, initial=0.0)
    late = Connection("map.before", "map.rain", lagged=True, initial=0.0)
    graph = Graph({"map": OnMap(), "ends": Ends()}, [back, late], grids={"map": own})
    model = begun(as_bmi(graph, grid=PointGrid([40.0, 41.0], [1.0, 2.0])))
    for name, x in {
        "before": [7.0, 8.0, 10.0],
        "state.map.mem": [7.0, 8.0, 10.0],
        "state.map.rain.lag": [7.0, 8.0, 10.0],
        "state.ends.yesterday.lag": [1.0, 2.0],
        "today": [1.0, 2.0],
    }.items():
        assert model.get_grid_x(model.get_var_grid(name), np.empty(len(x))).tolist() == x, name
    assert model.get_var_grid("state.map.mem") == model.get_var_grid("before")


class Echo(StepComponent):
    inputs = outputs = (FieldSpec(name="flow", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"flow": 2 * inputs["flow"]}, {}


def test_no_name_is_input_and_output_and_names_can_be_given():
    model = begun(as_bmi(Echo(), forcing={"flow": 1.0}))
    assert (model.get_input_var_names(), model.get_output_var_names()) == (("flow",), ("model_flow",))
    named = begun(bucket(names={"runoff": "land_surface_water__runoff_volume_flux"}))
    assert "land_surface_water__runoff_volume_flux" in named.get_output_var_names()
    with pytest.raises(FieldError, match=r"names= has \['runnoff'\]; did you mean 'runoff'"):
        bucket(names={"runnoff": "x"})
    with pytest.raises(FieldError, match=r"two fields of the graph would be called \['precipitation'\]"):
        bucket(names={"runoff": "precipitation"})
    with pytest.raises(FieldError, match="begin with 'ngen::', which NextGen keeps for itself"):
        begun(bucket(names={"runoff": "ngen::mass_out"}))
    with pytest.raises(FieldError, match=r"forcing 'rain' is no input of the graph.*inputs: \['precipitation'"):
        begun(bucket(forcing={"rain": 1.0}))
    with pytest.raises(ComponentError, match="forcing precipitation: expected one number or 1, got 2"):
        begun(bucket(forcing={"precipitation": [1.0, 2.0]}))


class Lagging(StepComponent):
    inputs = (FieldSpec(name="rain", units="mm day-1", window=3),)
    outputs = (FieldSpec(name="mean", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"mean": inputs["rain"].mean(0)}, {}


def test_windows_need_a_state_that_holds_earlier_forcing():
    with pytest.raises(StateError, match=r"windows of \['rain'\] need earlier forcing: give state="):
        begun(as_bmi(Lagging(), forcing={"rain": 3.0}))
    graph = Graph({"lag": Lagging()})
    state = graph.prime(graph.initial_state(Sizes({"cell": 1})), {"rain": torch.zeros(2, 1)})
    model = begun(as_bmi(graph, forcing={"rain": 3.0}, state=state))
    model.update_until(2 * 86400.0)
    assert value(model, "mean") == 2.0


def test_results_that_are_not_finite_name_the_component():
    class Broken(Echo):
        def step(self, state, inputs, time):
            return {"flow": inputs["flow"] / 0.0}, {}

    with pytest.raises(ComponentError, match=r"component model at 2014-01-01 00:00:00: field flow .* got inf"):
        begun(as_bmi(Broken(), forcing={"flow": 1.0}, start="2014-01-01")).update()


def test_every_unit_is_understood_and_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = begun(bucket(grid=2))
        model.update()
        for name in model.get_input_var_names() + model.get_output_var_names():
            FieldSpec(name="x", units=model.get_var_units(name))
