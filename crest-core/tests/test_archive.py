"""simulate with an archive: windows are committed one by one, nothing is kept, the next window is read ahead."""

import threading

import pytest
import torch
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from crest_core import Connection, FieldSpec, Graph, SafetensorsStore, StepComponent, simulate
from crest_core.errors import ForcingError, RestartError, StateError
from crest_core.testing import Stress, TorchBucket, weather

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


class Lists:
    """An archive in memory."""

    def __init__(self):
        self.windows, self.states, self.attributes = [], [], []

    def commit(self, outputs, state, attributes):
        self.windows.append(outputs)
        self.states.append(state)
        self.attributes.append(attributes)

    def load(self):
        return self.states[-1], self.attributes[-1]

    def open(self):
        return xr.concat(self.windows, "time", data_vars="minimal")


def loop():
    return Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG])


def test_an_archive_receives_every_window_once_and_equals_a_run_in_memory():
    data, archive = weather(40, 3, seed=1), Lists()
    result = simulate(loop(), data, window="10D", archive=archive)
    straight = simulate(loop(), data, window="10D")
    assert len(archive.windows) == 5  # windows are cut at multiples of 10 days since 2000
    for name in straight.data_vars:
        assert result[name].identical(straight[name])
    spans = [(one["start"], one["time"]) for one in archive.attributes]
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert archive.attributes[-1]["forcing_hash"] == straight.attrs["forcing_hash"]
    assert "history" not in archive.windows[0].attrs, "a date of today would make two equal runs differ"


def test_a_run_goes_on_from_its_archive_bit_for_bit():
    data, whole, parted = weather(40, 3, seed=1), Lists(), Lists()
    simulate(loop(), data, window="10D", archive=whole)
    simulate(loop(), data.isel(time=slice(0, 14)), window="10D", archive=parted, end=whole.attributes[1]["time"])
    simulate(loop(), data, window="10D", archive=parted, resume=parted)
    assert parted.open().identical(whole.open())
    assert parted.attributes == whole.attributes
    assert all(torch.equal(value, parted.states[-1][name]) for name, value in whole.states[-1].items())


def test_only_the_chosen_outputs_reach_the_archive():
    archive = Lists()
    simulate(loop(), weather(9, seed=1), outputs=["runoff"], archive=archive)
    assert list(archive.windows[0].data_vars) == ["runoff"]


def test_the_hash_of_forcing_goes_on_over_a_restart(tmp_path):
    data, store = weather(40, seed=1), SafetensorsStore(tmp_path / "restart.safetensors")
    straight = simulate(loop(), data, window="10D").attrs["forcing_hash"]
    simulate(loop(), data, window="10D", end="2001-01-21", store=store)
    assert simulate(loop(), data, window="10D", resume=store).attrs["forcing_hash"] == straight


def test_the_next_window_is_read_while_the_model_runs():
    read, reading = [], threading.Event()

    class Watched(TorchBucket):
        def step(self, state, inputs, time):
            if time.isoformat() == "2001-01-01T00:00:00":
                assert reading.wait(timeout=30), "the second window is not read before the first has run"
            return super().step(state, inputs, time)

    class Lazy(BackendArray):
        """Says when rows are read."""

        def __init__(self, values):
            self.values, self.shape, self.dtype = values, values.shape, values.dtype

        def __getitem__(self, key):
            read.append(threading.current_thread() is threading.main_thread())
            if len(read) == 2:
                reading.set()
            return indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.BASIC, self.values.__getitem__
            )

    data = weather(40, seed=1)
    rain = data["precipitation"]
    lazy = indexing.LazilyIndexedArray(Lazy(rain.values))
    data["precipitation"] = xr.Variable(rain.dims, lazy, rain.attrs)
    simulate(Graph({"plant": Stress(), "soil": Watched()}, [LAG]), data, window="10D")
    assert len(read) == 5
    assert not any(read), "the main thread waits for files"


def test_what_was_committed_stays_when_a_later_window_of_forcing_is_faulty():
    data, archive = weather(40, seed=1), Lists()
    data["precipitation"][30] = float("nan")
    with pytest.raises(ForcingError, match="precipitation.*got nan at time 2001-01-31"):
        simulate(loop(), data, window="10D", archive=archive)
    assert archive.attributes[-1]["time"] == "2001-01-25T00:00:00"  # the end of the last whole window


def test_an_opaque_graph_has_no_archive():
    class Hidden(TorchBucket):
        opaque = True

    with pytest.raises(StateError, match="hides state and cannot write a restart"):
        simulate(Graph({"plant": Stress(), "soil": Hidden()}, [LAG]), weather(9, seed=1), archive=Lists())


def test_what_a_caller_says_of_a_run_is_written_with_it():
    archive, data = Lists(), weather(9, seed=1)
    simulate(loop(), data, archive=archive, record={"run_file": "drought.yaml"})
    assert archive.attributes[0]["run_file"] == "drought.yaml"
    assert simulate(loop(), data, record={"run_file": "drought.yaml"}).attrs["run_file"] == "drought.yaml"


def test_a_restart_is_kept_in_one_place(tmp_path):
    with pytest.raises(StateError, match="give store= or archive=, not both"):
        simulate(loop(), weather(9, seed=1), archive=Lists(), store=SafetensorsStore(tmp_path / "restart"))


def test_the_forcing_hash_of_static_inputs_alone_knows_their_values():
    class Hill(StepComponent):
        inputs = (FieldSpec(name="elevation", units="m", static=True),)
        outputs = (FieldSpec(name="height", units="m"),)

        def step(self, state, inputs, time):
            return {"height": inputs["elevation"]}, {}

    def found(height):
        data = xr.Dataset({"elevation": ("cell", [height], {"units": "m"})})
        return simulate(Graph({"hill": Hill()}), data, start="2001-01-01", end="2001-01-03").attrs["forcing_hash"]

    assert found(1.0) == found(1.0) != found(2.0)


def restarted(tmp_path, first, then):
    """Run 5 days with one forcing and go on with another, by a restart in a file and by an archive."""
    store, archive = SafetensorsStore(tmp_path / "restart.safetensors"), Lists()
    simulate(loop(), first, end="2001-01-06", store=store)
    simulate(loop(), first, end="2001-01-06", archive=archive)
    for kept in (store, archive):
        yield lambda kept=kept, model=loop, **settings: simulate(model(), then, resume=kept, **settings)


def placed(names, **coordinates):
    return weather(9, 3, seed=1).assign_coords(cell_id=("cell", names), **coordinates)


def test_a_restart_of_other_places_in_the_same_number_is_refused(tmp_path):
    message = (
        r"restart of 2001-01-06T00:00:00 .* was written with other places: cell_id was a ... c \(3,\), sha256 \w{16}, "
        r"is b ... a \(3,\), sha256 \w{16}; take those, or say accept=\['places'\]"
    )
    for resume in restarted(tmp_path, placed(["a", "b", "c"]), placed(["b", "c", "a"])):
        with pytest.raises(StateError, match=message):
            resume()
        assert resume(accept=["places"]).sizes["time"] == 4
    north = weather(9, 3, seed=1)["lat"] + 1.0
    for resume in restarted(tmp_path, weather(9, 3, seed=1), weather(9, 3, seed=1).assign_coords(lat=north)):
        with pytest.raises(StateError, match=r"lat was 50 \.\.\. 50.2 .*is 51 \.\.\. 51.2"):
            resume()


def test_places_are_the_same_in_another_number_type_or_company(tmp_path):
    data = placed(["a", "b", "c"], lat=("cell", [50.1, 50.2, 50.3]))
    other = placed(["a", "b", "c"], lat=("cell", torch.tensor([50.1, 50.2, 50.3]).numpy()), owner=("cell", [1, 2, 3]))
    for resume in restarted(tmp_path, data, other.assign_coords(run="tuesday")):
        assert resume().sizes["time"] == 4


@pytest.mark.filterwarnings("error")
def test_places_that_cannot_be_compared_are_told(tmp_path):
    store, data = SafetensorsStore(tmp_path / "restart.safetensors"), weather(9, 3, seed=1)
    for resume in restarted(tmp_path, data, data.drop_vars("lat")):
        with pytest.warns(
            UserWarning, match="cannot be compared by places: it holds the coordinates lat, the forcing none"
        ):
            resume()
    for resume in restarted(tmp_path, data.drop_vars("lat"), data.drop_vars("lat")):
        resume()  # neither says anything of its places
    state, attributes = store.load()
    store.save(state, {name: value for name, value in attributes.items() if name != "places"})
    with pytest.warns(
        UserWarning, match="holds the coordinates none, the forcing lat; make sure that they are the same"
    ):
        simulate(loop(), data, resume=store)


def test_a_restart_of_other_parameters_is_refused_unless_they_may_differ(tmp_path):
    def wetter():
        return Graph({"plant": Stress(), "soil": TorchBucket(capacity=200.0)}, [LAG])

    data = weather(9, seed=1)
    for resume in restarted(tmp_path, data, data):
        message = r"written with other parameters: parameter_hash was \w{64}, is \w{64}; .* accept=\['parameters'\]"
        with pytest.raises(RestartError, match=message) as caught:
            resume(model=wetter)
        assert caught.value.differs == "parameters"
        with pytest.raises(RestartError, match="other parameters"):
            resume(model=wetter, accept=["forcing"])
        assert resume(model=wetter, accept=["parameters"]).sizes["time"] == 4


def test_a_restart_of_other_forcing_in_its_last_window_is_refused_where_the_data_cover_it(tmp_path):
    data = weather(9, seed=1)
    changed = data.copy(deep=True)
    changed["precipitation"][4] += 1.0
    for resume in restarted(tmp_path, data, changed):
        message = r"window from 2001-01-01T00:00:00\) was written with other forcing: window_hash was .*; take those"
        with pytest.raises(RestartError, match=message):
            resume(window="4D")
        assert resume(accept=["forcing"]).sizes["time"] == 4
    for resume in restarted(tmp_path, data, changed.isel(time=slice(5, None))):
        assert resume().sizes["time"] == 4, "the forcing of an operation begins where the last run ended"


def test_what_may_differ_from_a_restart_has_a_name(tmp_path):
    data = weather(9, seed=1)
    for resume in restarted(tmp_path, data, data):
        with pytest.raises(StateError, match=r"accept holds \['graph'\]; expected some of parameters, forcing, places"):
            resume(accept=["graph"])
    with pytest.raises(StateError, match="accept holds 'forcing'; expected some of .*, as a list"):
        simulate(loop(), data, accept="forcing")


def test_forcing_that_cannot_be_read_before_a_restart_is_told_as_such(tmp_path):
    data = weather(9, seed=1)
    gap = data.copy(deep=True)
    gap["precipitation"][3] = float("nan")
    message = (
        r"restart of 2001-01-06.*: the forcing of its last window, from .* cannot be compared: .*accept=\['forcing'\]"
    )
    for resume in restarted(tmp_path, data, gap):
        with pytest.raises(RestartError, match=message):
            resume()
        assert resume(accept=["forcing"]).sizes["time"] == 4


@pytest.mark.parametrize(
    "damage", [{"places": "{"}, {"places": "[]"}, {"forcing_hash": "xyz"}, {"start": "yesterday"}], ids=str
)
def test_a_record_that_cannot_be_read_is_told_as_damage(tmp_path, damage):
    store, data = SafetensorsStore(tmp_path / "restart.safetensors"), weather(9, seed=1)
    simulate(loop(), data, end="2001-01-06", store=store)
    state, attributes = store.load()
    store.save(state, attributes | damage)
    with pytest.raises(StateError, match="the record of the restart of 2001-01-06T00:00:00 is damaged"):
        simulate(loop(), data, resume=store)


def test_whole_numbers_of_any_kind_are_the_same_places(tmp_path):
    for resume in restarted(tmp_path, placed([1, 2, 3]), placed([1.0, 2.0, 3.0])):
        assert resume().sizes["time"] == 4
