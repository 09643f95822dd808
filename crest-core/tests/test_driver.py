"""simulate: xarray in and out, time labels, windows, restart, provenance."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

from crest_core import (
    BlackBoxComponent,
    Connection,
    Graph,
    NoGradient,
    SafetensorsStore,
    prepare,
    simulate,
)
from crest_core.component import StepComponent
from crest_core.errors import ComponentError, StateError, StoreError
from crest_core.testing import LinearReservoir, NumpyBucket, SmallLSTM, Stress, TorchBucket, weather
from crest_fields.fields import FieldSpec

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def loop(soil=None):
    return Graph({"plant": Stress(), "soil": soil or TorchBucket(), "river": LinearReservoir()}, [LAG])


class Smooth(StepComponent):
    """Mean rain of 5 days: a window that reaches before the run."""

    inputs = (FieldSpec(name="precipitation", units="mm day-1", standard_name="precipitation_flux", window=5),)
    outputs = (FieldSpec(name="wetness", units="mm day-1"),)

    def step(self, state, inputs, time):
        return {"wetness": inputs["precipitation"].mean(0)}, {}


def examples():
    return {
        "loop": loop(),
        "black box": loop(NumpyBucket()),
        "nested": Graph({"land": loop()}),
        "lstm": Graph({"lstm": SmallLSTM(generator=torch.Generator().manual_seed(4)), "river": LinearReservoir()}),
        "window": Graph({"mean": Smooth()}),
    }


def test_outputs_are_of_the_days_that_the_forcing_has():
    local = weather(5, 2, seed=1).assign_attrs(time_zone="local standard time")
    assert simulate(loop(), local).attrs["time_zone"] == "local standard time"
    assert "time_zone" not in simulate(loop(), weather(5, 2, seed=1)).attrs


def test_outputs_are_labelled_by_the_start_of_their_interval():
    result = simulate(loop(), weather(5, 2, seed=1))
    assert result["storage"].dims == ("time", "cell")
    assert result["time"].values[0] == np.datetime64("2001-01-01")
    assert result["time_end"].values[0] == np.datetime64("2001-01-02")
    assert (result["time_bnds"].values[:, 0] == result["time"].values).all()
    assert (result["time_bnds"].values[:, 1] == result["time_end"].values).all()
    assert result["storage"].attrs["cell_methods"] == "time: point"
    assert result["runoff"].attrs["cell_methods"] == "time: mean"
    assert result["runoff"].attrs["units"] == "mm day-1"
    assert result["storage"].attrs["standard_name"] == "mass_content_of_water_in_soil"
    assert (result["lat"].values == weather(5, 2, seed=1)["lat"].values).all()


def test_names_that_cf_does_not_have_are_long_names():
    result = simulate(loop(), weather(5, seed=1))
    assert "standard_name" not in result["streamflow"].attrs
    assert result["streamflow"].attrs["long_name"] == "water volume transport per area"
    assert "standard_name" not in result["runoff"].attrs  # CF's runoff_flux is a mass, this is a depth
    assert result["runoff"].attrs["long_name"] == "runoff flux"


def test_provenance_says_versions_hashes_and_seed():
    data = weather(40, seed=1)
    first, again = simulate(loop(), data, seed=3), simulate(loop(), data, seed=3)
    for name in ("graph_hash", "parameter_hash", "forcing_hash", "seed"):
        assert first.attrs[name] == again.attrs[name]
    assert {"crest-core", "torch", "numpy"} <= set(json.loads(first.attrs["versions"]))
    other = simulate(loop(TorchBucket(capacity=99.0)), data)
    assert other.attrs["parameter_hash"] != first.attrs["parameter_hash"]
    assert other.attrs["graph_hash"] == first.attrs["graph_hash"]
    assert other.attrs["seed"] == "none"
    assert simulate(loop(), weather(40, seed=2)).attrs["forcing_hash"] != first.attrs["forcing_hash"]


@pytest.mark.parametrize("name", examples())
def test_a_restart_at_any_window_end_continues_bit_for_bit(name, tmp_path):
    graph, data = examples()[name], weather(70, 2, seed=5)
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    begin = {"start": "2001-01-05"}
    whole = simulate(graph, data, window="10D", **begin)
    ends = ["2001-01-13", "2001-01-23", "2001-02-02", "2001-02-22", "2001-03-04"]
    for end in ends:
        first = simulate(graph, data, window="10D", end=end, store=store, **begin)
        rest = simulate(graph, data, window="10D", resume=store)
        joined = xr.concat([first, rest], "time", data_vars="minimal")
        assert len(first["time"]) > 0
        for field in graph.outputs:
            assert np.array_equal(joined[field.name].values, whole[field.name].values)


def test_other_window_lengths_agree_to_rounding():
    data = weather(120, 2, seed=6)
    for graph in examples().values():
        a, b = simulate(graph, data, window="30D"), simulate(graph, data, window="7D")
        for field in graph.outputs:
            largest = float(np.abs(a[field.name]).max())
            assert float(np.abs(a[field.name] - b[field.name]).max()) <= 1e-6 * largest


def test_a_window_starts_the_run_late_and_matches_the_data():
    data = weather(12, seed=2)
    result = simulate(Graph({"mean": Smooth()}), data)
    assert result["time"].values[0] == data["time"].values[4]
    expected = data["precipitation"].rolling(time=5).mean().values[4:]
    assert np.allclose(result["wetness"].values, expected, rtol=1e-5)


def test_a_restart_of_another_graph_is_refused(tmp_path):
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    simulate(loop(), weather(5, seed=1), store=store)
    with pytest.raises(StateError, match=r"written by another graph.*run the graph that wrote it"):
        simulate(Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG]), weather(9, seed=1), resume=store)


def test_a_missing_or_damaged_restart_is_named(tmp_path):
    path = tmp_path / "restart.safetensors"
    with pytest.raises(StoreError, match=r"restart\.safetensors: no such file"):
        simulate(loop(), weather(5, seed=1), resume=SafetensorsStore(path))
    path.write_bytes(b"not a restart")
    with pytest.raises(StoreError, match=r"cannot be read.*damaged or was not written by CREST"):
        simulate(loop(), weather(5, seed=1), resume=SafetensorsStore(path))


def test_an_unwritable_restart_keeps_the_one_before(tmp_path):
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    store.save({"a": torch.ones(1)}, {"time": "2001-01-01"})
    blocked = SafetensorsStore(tmp_path / "restart.safetensors" / "x")
    with pytest.raises((StoreError, OSError)):
        blocked.save({"a": torch.zeros(1)}, {})
    assert float(store.load()[0]["a"]) == 1.0


def test_an_opaque_component_cannot_write_a_restart(tmp_path):
    class Hidden(NumpyBucket):
        opaque = True

    graph = loop(Hidden(gradient=NoGradient()))
    assert issubclass(Hidden, BlackBoxComponent)
    with pytest.raises(StateError, match="opaque component hides state"):
        simulate(graph, weather(5, seed=1), store=SafetensorsStore(tmp_path / "r.safetensors"))


def test_an_opaque_component_is_named_in_plan_report_and_output():
    class Hidden(NumpyBucket):
        opaque = True

    graph = loop(Hidden(gradient=NoGradient()))
    (hidden,) = [name for name, child in graph.components.items() if child.opaque]
    assert f"{hidden} (opaque)" in str(graph.plan())
    assert graph.gradient_report().policies[hidden] == "opaque"
    assert f"(by {hidden} opaque)" in str(graph.gradient_report())
    record = simulate(graph, weather(5, seed=1)).attrs["opaque"]
    assert record == f"{hidden}: hides its state, so that this run has no restart"


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_other_calendars_pass_from_forcing_to_output(calendar):
    data = weather(75, start="2000-01-01", calendar=calendar, seed=3)
    result = simulate(loop(), data)
    assert result["time"].dt.calendar == calendar
    assert len(result["time"]) == 75
    month, day = result["time"].values[-1].month, result["time"].values[-1].day
    assert (month, day) == ((3, 16) if calendar == "noleap" else (3, 15))


def test_members_of_the_forcing_become_members_of_the_output():
    data = weather(20, 2, seed=1)
    many = data.assign(precipitation=data["precipitation"].expand_dims(member=3).copy())
    result, one = simulate(loop(), many), simulate(loop(), data)
    assert result["storage"].dims == ("time", "member", "cell")
    difference = np.abs(result["storage"].sel(member=1).values - one["storage"].values).max()
    assert difference <= 1e-6 * float(one["storage"].max())


def test_a_single_component_is_a_model_and_outputs_can_be_chosen():
    data = weather(6, seed=1).assign(runoff=lambda d: d["precipitation"].assign_attrs(standard_name="runoff_flux"))
    assert list(simulate(LinearReservoir(), data).data_vars) == ["streamflow"]
    chosen = simulate(loop(), data.drop_vars("runoff"), outputs=["storage"])
    assert [name for name in chosen.data_vars if name != "time_bnds"] == ["storage"]
    with pytest.raises(StateError, match=r"outputs \['storge'\] do not exist; the graph has"):
        simulate(loop(), data, outputs=["storge"])


def test_the_result_is_a_netcdf_file_that_opens_the_same(tmp_path):
    result = simulate(loop(), weather(10, 2, seed=1))
    result.to_netcdf(tmp_path / "out.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as opened:
        assert np.array_equal(opened["storage"].values, result["storage"].values)
        assert (opened["time"].values == result["time"].values).all()
        assert opened.attrs["graph_hash"] == result.attrs["graph_hash"]


def test_prepare_gives_the_tape():
    graph = loop()
    run = prepare(graph, weather(30, seed=1))
    outputs, _ = graph(run.state, run.inputs(), run.clock.times)
    outputs["storage"].mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in graph.parameters())


def test_progress_is_shown_when_asked_for(capsys):
    simulate(loop(), weather(30, seed=1), window="10D", progress=True)
    shown = capsys.readouterr().err
    assert "30/30" in shown and "steps/s" in shown


def test_denormals_are_flushed_in_a_run_and_not_after_it():
    seen = []

    class Watch(StepComponent):
        inputs = (FieldSpec(name="precipitation", units="mm day-1"),)
        outputs = (FieldSpec(name="seen", units="1"),)

        def step(self, state, inputs, time):
            seen.append(float(torch.tensor(1e-40) * 0.5))
            return {"seen": inputs["precipitation"]}, {}

    simulate(Watch(), weather(2, seed=1))
    assert seen == [0.0, 0.0]
    assert float(torch.tensor(1e-40) * 0.5) != 0.0


def test_dropout_is_off_in_a_run_and_on_again_after_it():
    class Drops(TorchBucket):
        def __init__(self):
            super().__init__()
            self.drop = torch.nn.Dropout(0.5)

        def step(self, state, inputs, time):
            return super().step(state, {**inputs, "precipitation": self.drop(inputs["precipitation"])}, time)

    graph, data = loop(Drops()), weather(20, seed=1)
    assert np.array_equal(simulate(graph, data)["storage"], simulate(loop(), data)["storage"])
    assert graph.components["soil"].drop.training


def test_what_a_component_prints_of_itself_counts_in_the_graph_hash():
    class Scaled(TorchBucket):
        def __init__(self, scale):
            super().__init__()
            self.scale = scale

        def extra_repr(self):
            return f"scale={self.scale}"

    hashes = {simulate(loop(Scaled(scale)), weather(3, seed=1)).attrs["graph_hash"] for scale in (1.0, 2.0)}
    assert len(hashes) == 2


def test_versions_count_the_packages_of_base_classes():
    class Mine(TorchBucket):
        __module__ = "notebook"

    assert "crest-core" in json.loads(simulate(loop(Mine()), weather(3, seed=1)).attrs["versions"])


def test_the_forcing_hash_does_not_depend_on_windows():
    data = weather(40, seed=1)
    hashes = {simulate(loop(), data, window=window).attrs["forcing_hash"] for window in ("7D", "365D")}
    assert len(hashes) == 1


def test_a_restart_of_other_places_or_number_type_is_refused(tmp_path):
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    simulate(loop(), weather(5, 4, seed=1), store=store)
    with pytest.raises(
        StateError, match=r"state plant.*expected torch.float32 of shape \(1,\).*got .* of shape \(4,\)"
    ):
        simulate(loop(), weather(9, 1, seed=1), resume=store)
    doubled = {name: value.double() for name, value in store.load()[0].items()}
    with pytest.raises(StateError, match=r"expected torch.float32.*got torch.float64.*number type"):
        simulate(loop(), weather(9, 4, seed=1), state=doubled)
    with pytest.raises(StateError, match="written by another graph"):
        simulate(loop().double(), weather(9, 4, seed=1), resume=store)


def test_a_restart_brings_its_own_start_and_state(tmp_path):
    store = SafetensorsStore(tmp_path / "restart.safetensors")
    simulate(loop(), weather(5, seed=1), store=store)
    with pytest.raises(StateError, match="leave state= and start= out"):
        simulate(loop(), weather(9, seed=1), resume=store, start="2001-01-02")
    store.save({"a": torch.zeros(1)}, {"kind": "weights"})
    with pytest.raises(StateError, match="has no 'time': it is not a restart of a run"):
        simulate(loop(), weather(9, seed=1), resume=store)


def test_nested_settings_and_tensor_starts_count_in_the_graph_hash():
    def nested(value):
        lag = Connection("soil.storage", "plant.storage", lagged=True, initial=value)
        return Graph({"land": Graph({"plant": Stress(), "soil": TorchBucket()}, [lag])})

    starts = [1.0, 2.0, torch.tensor([1.0]), torch.tensor([2.0])]
    assert len({simulate(nested(start), weather(2, seed=1)).attrs["graph_hash"] for start in starts}) == 4


def test_the_state_after_a_run_is_no_view_of_the_outputs():
    run = prepare(loop(), weather(6, seed=1))
    with torch.no_grad():
        outputs, state = run.graph(run.state, run.inputs(), run.clock.times)
    kept = {name: value.clone() for name, value in state.items()}
    for values in outputs.values():
        values.zero_()
    assert all(torch.equal(state[name], kept[name]) for name in kept)


def test_the_forcing_hash_knows_times_and_names():
    here = simulate(loop(), weather(9, seed=1)).attrs["forcing_hash"]
    assert here != simulate(loop(), weather(9, seed=1, start="2002-01-01")).attrs["forcing_hash"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: torch.where(q > 0.0, torch.nan, q), r"component river at 2001-01-0.*streamflow.*cell 0: .*got nan"),
        (lambda q: q.sum(), r"component river: expected streamflow as real numbers of shape \(9, 1\).*shape \(9,\)"),
        (lambda q: q.int(), r"component river: expected streamflow as real numbers.*torch.int32"),
    ],
)
def test_outputs_that_are_wrong_are_named_with_component_field_time_and_cell(change, message):
    class Wrong(LinearReservoir):
        def step(self, state, inputs, time):
            outputs, state = super().step(state, inputs, time)
            return {"streamflow": change(outputs["streamflow"])}, state

    graph = Graph({"plant": Stress(), "soil": TorchBucket(), "river": Wrong()}, [LAG])
    with pytest.raises(ComponentError, match=message):
        simulate(graph, weather(9, seed=1))


def test_a_restart_that_is_not_finite_is_refused():
    state = prepare(loop(), weather(3, seed=1)).state
    state["soil.storage"] = torch.full((1,), torch.nan)
    with pytest.raises(StateError, match="state soil.storage holds values that are not finite"):
        simulate(loop(), weather(3, seed=1), state=state)
