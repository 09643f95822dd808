"""Graphs: coupling, equality of ways to run, nesting, restart, build errors."""

import copy

import pytest
import torch

from crest_core import Connection, Graph, PointGrid, Sizes
from crest_core.component import StepComponent
from crest_core.errors import ComponentError, CouplingError, StateError
from crest_core.testing import LinearReservoir, NumpyBucket, SmallLSTM, Stress, TorchBucket, relative_difference
from crest_fields.fields import FieldSpec

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def loop(soil=None):
    return Graph({"plant": Stress(), "soil": soil or TorchBucket(), "river": LinearReservoir()}, [LAG])


def rain(days, cells=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(7)
    wet = torch.rand(days, cells, generator=generator, dtype=dtype)
    return {
        "precipitation": 12.0 * wet * (wet > 0.6),
        "potential_evaporation": 3.0 * torch.rand(days, cells, generator=generator, dtype=dtype),
    }


def graphs():
    generator = torch.Generator().manual_seed(1)
    return {
        "loop": loop(),
        "black box loop": loop(NumpyBucket()),
        "chain": Graph({"lstm": SmallLSTM(generator=generator), "river": LinearReservoir()}),
        "chain with lag": Graph(
            {"lstm": SmallLSTM(generator=generator), "river": LinearReservoir()},
            [Connection("lstm.runoff", "river.runoff", lagged=True, initial=0.5)],
        ),
        "nested": Graph(
            {
                "land": Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG]),
                "river": LinearReservoir(),
            }
        ),
        "windowed": Graph({"mean": WindowMean()}),
        "windowed loop": Graph(
            {"plant": Stress(), "soil": TorchBucket(), "mean": StorageMean()},
            [LAG, Connection("soil.storage", "mean.storage", initial=50.0)],
        ),
    }


class WindowMean(StepComponent):
    inputs = (FieldSpec(name="precipitation", units="mm day-1", window=5),)
    outputs = (FieldSpec(name="wetness", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"wetness": inputs["precipitation"].mean(0)}, {}

    def sequence(self, state, inputs, times):
        return {"wetness": inputs["precipitation"].mean(1)}, {}


class StorageMean(StepComponent):
    inputs = (FieldSpec(name="storage", units="kg m-2", standard_name="mass_content_of_water_in_soil", window=3),)
    outputs = (FieldSpec(name="antecedent", units="kg m-2"),)

    def step(self, state, inputs, time):
        return {"antecedent": inputs["storage"].mean(0)}, {}


def start(graph, forcing, cells=3):
    dtype = next(iter(forcing.values())).dtype
    state = graph.initial_state(Sizes({"cell": cells}, dtype=dtype))
    earlier = {name: torch.ones(graph.history.get(name, 0), cells, dtype=dtype) for name in forcing}
    return graph.prime(state, earlier)


def needed(graph, forcing):
    return {spec.name: forcing[spec.name] for spec in graph.inputs}


@pytest.mark.parametrize("name", graphs())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_whole_sequence_and_single_steps_agree(name, dtype, tolerance):
    graph = graphs()[name].to(dtype)
    forcing = needed(graph, rain(60, dtype=dtype))
    whole, last = graph(start(graph, forcing), forcing, range(60))
    state, pieces = start(graph, forcing), []
    for t in range(60):
        outputs, state = graph.step(state, {k: v[t] for k, v in forcing.items()}, t)
        pieces.append(outputs)
    for field, values in whole.items():
        assert relative_difference(torch.stack([p[field] for p in pieces]), values) <= tolerance
    for field, value in last.items():
        assert relative_difference(state[field], value) <= tolerance


@pytest.mark.parametrize("name", graphs())
def test_two_runs_are_identical_and_inputs_are_never_changed(name):
    graph = graphs()[name].double()
    forcing = needed(graph, rain(30))
    kept = {k: v.clone() for k, v in forcing.items()}
    before = start(graph, forcing)
    kept_state = {k: v.clone() for k, v in before.items()}
    first = graph(before, forcing, range(30))
    second = graph(before, forcing, range(30))
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(a[k], b[k]) for k in a)
    assert all(torch.equal(forcing[k], kept[k]) for k in kept)
    assert all(torch.equal(before[k], kept_state[k]) for k in kept_state)


@pytest.mark.parametrize("name", graphs())
def test_a_run_split_anywhere_continues_bit_for_bit(name):
    graph = graphs()[name].double()
    forcing = needed(graph, rain(50))
    cuts = [1, 7, 20, 33, 49]
    for cut in cuts:  # the same windows, straight and interrupted
        state = start(graph, forcing)
        _, middle = graph(state, {k: v[:cut] for k, v in forcing.items()}, range(cut))
        saved = {k: torch.tensor(v.tolist(), dtype=v.dtype).reshape(v.shape) for k, v in middle.items()}
        a, end_a = graph(middle, {k: v[cut:] for k, v in forcing.items()}, range(cut, 50))
        b, end_b = graph(saved, {k: v[cut:] for k, v in forcing.items()}, range(cut, 50))
        assert all(torch.equal(a[k], b[k]) for k in a)
        assert all(torch.equal(end_a[k], end_b[k]) for k in end_a)


def test_nested_equals_flat_under_the_same_plan_bit_for_bit():
    torch.manual_seed(0)
    flat = loop().double()
    nested = Graph({"all": loop()}).double()
    forcing = rain(80)
    a, end_a = flat(start(flat, forcing), forcing, range(80))
    b, end_b = nested(start(nested, forcing), forcing, range(80))
    assert set(a) == set(b)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert all(torch.equal(end_a[k], end_b[f"all.{k}"]) for k in end_a)


def test_nested_windows_are_primed_through_the_outer_graph():
    inner = Graph({"mean": WindowMean()})
    outer = Graph({"inner": inner}).double()
    assert dict(outer.history) == {"precipitation": 4}
    forcing = needed(outer, rain(10))
    outputs, _ = outer(start(outer, forcing), forcing, range(10))
    assert torch.isfinite(outputs["wetness"]).all()


def test_an_unprimed_window_shows_as_nan():
    graph = Graph({"mean": WindowMean()})
    state = graph.initial_state(Sizes({"cell": 1}))
    outputs, _ = graph(state, {"precipitation": torch.ones(6, 1)}, range(6))
    assert outputs["wetness"].isnan().flatten().tolist() == [True] * 4 + [False] * 2


def test_too_little_history_for_a_window_is_counted():
    graph = Graph({"mean": WindowMean()})
    state = graph.initial_state(Sizes({"cell": 1}))
    with pytest.raises(StateError, match="needs 4 steps of precipitation before the first one, got 3"):
        graph.prime(state, {"precipitation": torch.ones(3, 1)})
    primed = graph.prime(state, {"precipitation": torch.ones(4, 1)})
    assert all(torch.isfinite(value).all() for value in primed.values())


def test_members_and_samples_pass_through_as_leading_dims():
    graph = loop().double()
    forcing = rain(40)
    one = graph(start(graph, forcing), forcing, range(40))[0]
    many = {k: v[:, None, None].expand(40, 4, 2, 3) for k, v in forcing.items()}
    state = graph.initial_state(Sizes({"cell": 3}, lead=(4, 2), dtype=torch.float64))
    all_members = graph(state, many, range(40))[0]
    for field, values in one.items():
        assert relative_difference(all_members[field][:, 2, 1], values) <= 1e-12


def test_a_lagged_import_starts_with_its_initial_value_and_is_one_step_late():
    graph = graphs()["chain with lag"].double()
    forcing = needed(graph, rain(6))
    outputs, state = graph(start(graph, forcing), forcing, range(6))
    late = outputs["runoff"][:-1]
    stored = torch.full((3,), 0.5, dtype=torch.float64)
    assert torch.allclose(outputs["streamflow"][0], 0.2 * stored)
    assert torch.allclose(outputs["streamflow"][1], 0.2 * (0.8 * stored + late[0]))
    assert torch.equal(state["river.runoff.lag"], outputs["runoff"][-1])


def test_water_depth_and_mass_are_converted_in_sight():
    graph = loop()
    assert "kg m-2" not in str([s.units for s in graph.inputs])

    class Mass(StepComponent):
        inputs = (FieldSpec(name="rain", units="kg m-2 s-1", standard_name="precipitation_flux"),)
        outputs = (FieldSpec(name="seen", units="kg m-2 s-1"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["rain"]}, {}

    class Gauge(StepComponent):
        outputs = (FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux"),)
        inputs = (FieldSpec(name="level", units="mm day-1"),)

        def step(self, state, inputs, time):
            return {"rain": inputs["level"]}, {}

    graph = Graph({"gauge": Gauge(), "land": Mass()})
    assert "water density 1000 kg m-3" in str(graph.plan())
    outputs, _ = graph({}, {"level": torch.full((1, 1), 86400.0)}, range(1))
    assert float(outputs["seen"]) == pytest.approx(1.0)


def test_a_failing_component_is_named_with_its_time():
    class Fails(TorchBucket):
        def step(self, state, inputs, time):
            if time == 3:
                raise ZeroDivisionError("no water left")
            return super().step(state, inputs, time)

    graph = Graph({"plant": Stress(), "soil": Fails()}, [LAG]).double()
    with pytest.raises(ComponentError, match=r"component soil at 3: ZeroDivisionError: no water left"):
        graph(start(graph, rain(9)), rain(9), range(9))


def test_an_output_that_is_not_returned_is_named():
    class Forgets(Stress):
        def step(self, state, inputs, time):
            return {}, {}

    graph = Graph({"plant": Forgets(), "soil": TorchBucket()}, [LAG]).double()
    with pytest.raises(ComponentError, match=r"component plant.*outputs.*missing \['evapotranspiration'\]"):
        graph(start(graph, rain(2)), rain(2), range(2))


def test_two_sources_of_one_field_need_a_connection():
    children = {"a": TorchBucket(), "b": SmallLSTM(), "river": LinearReservoir()}
    with pytest.raises(CouplingError, match=r"river.runoff \[runoff_flux\] has 2 sources \(a.runoff, b.runoff\); add"):
        Graph(children)
    graph = Graph(children, [Connection("a.runoff", "river.runoff")])
    assert "a.runoff -> river.runoff" in str(graph.plan())
    assert {"a_runoff", "b_runoff", "streamflow"} <= {s.name for s in graph.outputs}


def test_a_cycle_without_lag_says_which_connection_to_mark():
    with pytest.raises(CouplingError, match=r"no lagged connection.*lagged=True, initial=\.\.\.\)") as error:
        Graph({"plant": Stress(), "soil": TorchBucket()})
    assert 'Connection("soil.storage", "plant.storage"' in str(error.value)
    assert 'Connection("plant.evapotranspiration", "soil.evapotranspiration"' in str(error.value)


def test_a_lag_without_an_initial_value_is_refused():
    with pytest.raises(CouplingError, match=r"initial=None\) needs initial=, the source.s value before the first step"):
        Connection("soil.storage", "plant.storage", lagged=True)


def test_an_internal_window_needs_an_initial_value():
    with pytest.raises(CouplingError, match=r"window of 3 steps needs 2 values before the first step"):
        Graph({"plant": Stress(), "soil": TorchBucket(), "mean": StorageMean()}, [LAG])


def test_unknown_names_in_a_connection_get_suggestions():
    children = {"plant": Stress(), "soil": TorchBucket()}
    with pytest.raises(CouplingError, match=r"no component 'soill'.*did you mean 'soil'"):
        Graph(children, [Connection("soill.storage", "plant.storage")])
    with pytest.raises(CouplingError, match=r"soil has no output 'storge'.*did you mean 'storage'"):
        Graph(children, [Connection("soil.storge", "plant.storage")])
    with pytest.raises(CouplingError, match=r"expected 'component.field' at both ends"):
        Connection("soil", "plant.storage")


def test_two_connections_to_one_import_are_refused():
    with pytest.raises(CouplingError, match=r"plant.storage has 2 Connections.*keep one"):
        Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG, LAG])


def test_forcing_can_be_asked_for_where_an_export_exists():
    graph = Graph({"plant": Stress(), "soil": TorchBucket()}, [Connection("forcing", "plant.storage")])
    assert {s.name for s in graph.inputs} == {"precipitation", "potential_evaporation", "storage"}
    assert not any(block.loop for block in graph.blocks)


def test_mixed_timesteps_units_and_grids_are_build_errors():
    hourly = TorchBucket()
    hourly.timestep = "1h"
    with pytest.raises(CouplingError, match=r"different timesteps \(plant 1D, soil 1h\)"):
        Graph({"plant": Stress(), "soil": hourly}, [LAG])
    energy = Stress()
    energy.outputs = (
        FieldSpec(name="evapotranspiration", units="W m-2", standard_name="water_evapotranspiration_flux"),
    )
    with pytest.raises(CouplingError, match=r"plant.evapotranspiration -> soil.evapotranspiration: 'W m-2'.*component"):
        Graph({"plant": energy, "soil": TorchBucket()}, [LAG])
    elsewhere = TorchBucket()
    elsewhere.grid = "hru"
    with pytest.raises(CouplingError, match=r"component soil is on grid 'hru', which the graph does not have"):
        Graph({"plant": Stress(), "soil": elsewhere}, [LAG])


def test_dims_that_differ_are_a_build_error():
    layered = TorchBucket()
    layered.outputs = (
        FieldSpec(
            name="storage", units="kg m-2", standard_name="mass_content_of_water_in_soil",
            dims=("soil_layer", "cell"), cell_methods="time: point",
        ),
    )  # fmt: skip
    with pytest.raises(CouplingError, match=r"dims \('soil_layer', 'cell'\) do not fit \('cell',\)"):
        Graph({"plant": Stress(), "soil": layered}, [LAG])


def test_names_that_cannot_be_used_are_refused():
    with pytest.raises(CouplingError, match="component name 'Soil'"):
        Graph({"Soil": TorchBucket()})
    with pytest.raises(CouplingError, match="component name 'é'"):
        Graph({"é": TorchBucket()})
    with pytest.raises(CouplingError, match="not 'forcing'"):
        Graph({"forcing": TorchBucket()})
    with pytest.raises(CouplingError, match="at least one component"):
        Graph({})


def test_names_that_module_dict_refuses_are_fine():
    graph = Graph({"type": TorchBucket(), "items": SmallLSTM()})
    assert any("component_type" in key for key in graph.state_dict())


def test_a_state_of_another_graph_is_refused():
    graph = loop().double()
    with pytest.raises(StateError, match=r"missing \['plant.storage.lag'.*unknown \['x'\]"):
        graph({"x": torch.zeros(1)}, rain(2), range(2))


@pytest.mark.parametrize("kind", graphs())
def test_times_and_forcing_must_have_as_many_steps(kind):
    graph, forcing = graphs()[kind], rain(4)
    names = {spec.name for spec in graph.inputs}
    forcing = {name: value for name, value in forcing.items() if name in names}
    state = graph.initial_state(Sizes({"cell": 3}, dtype=torch.float64))
    for steps in (3, 5):
        with pytest.raises(StateError, match=rf"got {steps} times, but the forcing \w+ has 4 steps; cut them"):
            graph(state, forcing, range(steps))
    with pytest.raises(StateError, match="the graph got no timesteps; give at least one time"):
        graph(state, {name: value[:0] for name, value in forcing.items()}, [])
    with pytest.raises(StateError, match="has no time axis"):
        graph(state, {name: torch.tensor(1.0) for name in forcing}, range(4))


def test_missing_forcing_names_the_export_that_nearly_fits():
    deep = Stress()
    deep.inputs = (
        Stress.inputs[0],
        FieldSpec(
            name="storage", units="kg m-2", standard_name="mass_content_of_water_in_soil",
            cell_methods="time: point", vertical=(0.0, 1.0),
        ),
    )  # fmt: skip
    graph = Graph({"plant": deep, "soil": TorchBucket()}).double()
    state = graph.initial_state(Sizes({"cell": 3}, dtype=torch.float64))
    with pytest.raises(StateError, match=r"missing \['storage'\]. plant.storage wants .*0-1 m.*but soil.storage is"):
        graph(state, rain(2), range(2))


class Rain(StepComponent):
    """Rain on a fine grid, from forcing on the same grid."""

    grid = "fine"
    inputs = (FieldSpec(name="cloud", units="mm day-1"),)
    outputs = (FieldSpec(name="precipitation", units="mm day-1", standard_name="precipitation_flux"),)

    def step(self, state, inputs, time):
        return {"precipitation": 2.0 * inputs["cloud"]}, {}


class PairMean:
    """Mean of each two neighbouring cells: the simplest conservative regridding."""

    source = PointGrid([50.0, 50.1, 50.2, 50.3], [8.0] * 4)
    target = PointGrid([50.05, 50.25], [8.0] * 2)

    def __call__(self, values):
        return values.reshape(*values.shape[:-1], 2, 2).mean(-1)

    def describe(self):
        return "mean of two cells"


def test_a_connection_between_grids_needs_a_regridder_and_shows_it():
    children = {"sky": Rain(), "soil": TorchBucket()}
    grids = {"fine": PairMean.source}
    with pytest.raises(CouplingError, match=r"sky is on grid 'fine' and soil on None; add a Connection with regrid="):
        Graph(children, grids=grids)
    regrid = Connection("sky.precipitation", "soil.precipitation", regrid=PairMean())
    graph = Graph(children, [regrid], grids=grids).double()
    assert "mean of two cells" in str(graph.plan())
    cloud = torch.tensor([[1.0, 3.0, 5.0, 7.0]] * 4, dtype=torch.float64, requires_grad=True)
    state = graph.initial_state(Sizes({"cell": 2}, dtype=torch.float64))
    inputs = {"cloud": cloud, "evapotranspiration": torch.zeros(4, 2, dtype=torch.float64)}
    outputs, _ = graph(state, inputs, range(4))
    assert outputs["storage"].shape == (4, 2)
    outputs["storage"].sum().backward()
    assert (cloud.grad != 0).all()


def test_a_window_inside_a_nested_graph_takes_its_first_values_from_the_connection():
    inner = Graph({"mean": StorageMean()})
    children = {"plant": Stress(), "soil": TorchBucket(), "inner": inner}
    with pytest.raises(CouplingError, match=r"a window inside inner needs 2 values before the first step"):
        Graph(children, [LAG])
    filled = Connection("soil.storage", "inner.storage", initial=30.0)
    graph = Graph(children, [LAG, filled]).double()
    outputs, _ = graph(start(graph, rain(4)), rain(4), range(4))
    assert torch.allclose(outputs["antecedent"][0], (30.0 + 30.0 + outputs["storage"][0]) / 3)


def test_a_dim_with_two_sizes_is_refused():
    with pytest.raises(CouplingError, match=r"dim 'hidden' is 6 in a and 4 in b; rename one"):
        Graph({"a": SmallLSTM(6), "b": SmallLSTM(4)})


def test_static_ends_are_refused():
    class Map(StepComponent):
        outputs = (FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux", static=True),)

        def step(self, state, inputs, time):
            return {"rain": torch.ones(1)}, {}

    class Fixed(StepComponent):
        inputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux", static=True),)

        def step(self, state, inputs, time):
            return {}, {}

    with pytest.raises(CouplingError, match=r"map.rain is a static output, which is not built yet"):
        Graph({"map": Map(), "soil": TorchBucket()})
    with pytest.raises(CouplingError, match=r"soil.runoff -> fixed.runoff: one end is static"):
        Graph({"fixed": Fixed(), "soil": TorchBucket()})


def test_settings_that_a_connection_from_forcing_cannot_keep_are_refused():
    for settings in ({"lagged": True, "initial": 5.0}, {"regrid": PairMean()}, {"transforms": (PairMean(),)}):
        with pytest.raises(CouplingError, match=r"lagged, transforms and regrid are for values between components"):
            Graph({"soil": TorchBucket()}, [Connection("forcing.rain", "soil.precipitation", **settings)])
    with pytest.raises(CouplingError, match=r"initial= has no use without lagged=True or a window"):
        Graph(
            {"soil": TorchBucket(), "river": LinearReservoir()},
            [Connection("soil.runoff", "river.runoff", initial=1.0)],
        )


def names_of(name, *fields):
    class Named(StepComponent):
        inputs = tuple(FieldSpec(name=field, units="K", standard_name=standard) for field, standard in fields)

        def step(self, state, inputs, time):
            return {}, {}

    return Named()


def test_forcing_names_never_meet_by_accident():
    a = names_of("a", ("t", "air_temperature"), ("b_t", "soil_temperature"))
    b = names_of("b", ("t", "surface_temperature"))
    with pytest.raises(CouplingError, match=r"forcing 'b_t' would be both soil_temperature.*and, for b.t, surface"):
        Graph({"a": a, "b": b})
    asked = [Connection("forcing.temp", "a.t"), Connection("forcing.temp", "b.t")]
    with pytest.raises(CouplingError, match=r"forcing 'temp' would be both"):
        Graph({"a": a, "b": b}, asked)
    named = Graph({"a": a, "b": b}, [Connection("forcing.skin", "b.t")])
    assert {spec.name for spec in named.inputs} == {"t", "b_t", "skin"}


def test_output_names_never_meet_by_accident():
    def source(*names):
        class Named(StepComponent):
            outputs = tuple(FieldSpec(name=name, units="K") for name in names)

            def step(self, state, inputs, time):
                return {}, {}

        return Named()

    with pytest.raises(
        CouplingError, match=r"the outputs a.x and b.a_x would both be called 'a_x'; rename a component"
    ):
        Graph({"a": source("x"), "b": source("x", "a_x")})


def test_a_graph_copied_or_moved_in_precision_still_runs():
    graph = copy.deepcopy(loop(NumpyBucket())).double()
    outputs, _ = graph(start(graph, rain(3)), rain(3), range(3))
    assert outputs["storage"].dtype == torch.float64
    assert graph.components["soil"] is dict(graph.named_children())["component_soil"]


def test_starts_of_another_shape_and_unknown_sizes_are_named():
    lag = Connection("soil.storage", "plant.storage", lagged=True, initial=torch.ones(3))
    graph = Graph({"plant": Stress(), "soil": TorchBucket()}, [lag])
    with pytest.raises(StateError, match=r"initial of storage: shape \(3,\) does not expand to \(2,\)"):
        graph.initial_state(Sizes({"cell": 2}))
    with pytest.raises(StateError, match=r"field storage: the sizes of \['cell'\] are not known"):
        graph.initial_state(Sizes({}))


def test_fields_without_a_name_of_their_own_differ_by_statistic_and_depth():
    def thermometer(statistic):
        class Thermometer(StepComponent):
            inputs = (FieldSpec(name="t", units="K", cell_methods=f"time: {statistic}"),)

            def step(self, state, inputs, time):
                return {}, {}

        return Thermometer()

    graph = Graph({"high": thermometer("maximum"), "low": thermometer("minimum")})
    assert {spec.name for spec in graph.inputs} == {"t", "low_t"}


def test_a_state_may_not_be_called_as_the_coupler_s_own():
    class Keeps(StorageMean):
        inputs = (FieldSpec(name="storage", units="kg m-2", standard_name="mass_content_of_water_in_soil"),)
        states = (FieldSpec(name="storage.lag", units="1"),)

    with pytest.raises(CouplingError, match=r"the states \['mean.storage.lag'\] are of a component and of the coupler"):
        Graph(
            {"plant": Stress(), "soil": TorchBucket(), "mean": Keeps()},
            [LAG, Connection("soil.storage", "mean.storage", lagged=True, initial=1.0)],
        )


@pytest.mark.parametrize("nested", [False, True])
def test_a_component_that_changes_its_arguments_in_place_is_named(nested):
    class Spoils(TorchBucket):
        def step(self, state, inputs, time):
            inputs["precipitation"].mul_(0.5)
            return super().step(state, inputs, time)

    graph = Graph({"soil": Spoils()} if nested else {"plant": Stress(), "soil": Spoils()}, [] if nested else [LAG])
    forcing = {**rain(3), "evapotranspiration": torch.zeros(3, 3, dtype=torch.float64)}
    with pytest.raises(ComponentError, match="component soil changed its inputs or state in place"):
        graph.double()(start(graph, forcing), needed(graph, forcing), range(3))


def test_a_start_outside_the_bounds_of_its_source_is_refused():
    percent = Connection("soil.storage", "plant.storage", lagged=True, initial=50000.0)
    with pytest.raises(CouplingError, match=r"initial 50000.0 is outside the bounds \(-200.0, 2000.0\).*'kg m-2'"):
        Graph({"plant": Stress(), "soil": TorchBucket()}, [percent])
