"""nan, infinity and 1e30: contained and told by conform, refused by a run with variable, cell and time."""

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable

from crest_core import FieldSpec, ForcingError, Graph, StepComponent, simulate

DAYS = np.arange("2001-01-01", "2001-01-07", dtype="datetime64[D]").astype("datetime64[ns]")
RAIN = Variable("rain", "mm day-1", bounds=(0.0, 1000.0), reject=True)


class Bucket(StepComponent):
    """Water that rain adds to."""

    inputs = (FieldSpec(name="rain", units="mm day-1"),)
    states = outputs = (FieldSpec(name="water", units="mm", cell_methods="time: point"),)

    def initial_state(self, sizes):
        return {"water": sizes.zeros(self.states[0])}

    def step(self, state, inputs, time):
        water = state["water"] + inputs["rain"]
        return {"water": water}, {"water": water}


def raw(bad=None):
    values = np.ones((6, 3))
    if bad is not None:
        values[2, 1] = bad
    places = {"cell": ["a", "b", "c"], "lat": ("cell", [1.0, 2.0, 3.0]), "lon": ("cell", [4.0, 5.0, 6.0])}
    return xr.Dataset({"P": (("time", "cell"), values)}, {"time": DAYS, **places})


def conformed(bad=None, variable=RAIN):
    return conform(raw(bad), {"P": variable}, step="1D", source="gauges")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -9999.0])
def test_a_bad_value_is_missing_where_it_stands_and_nowhere_else(bad):
    held = conformed(bad)
    expected = np.zeros((6, 3), dtype=bool)
    expected[2, 1] = True
    assert (held["rain"].isnull().values == expected).all()
    assert ((held["rain_quality"].values != 0) == expected).all()
    assert (held["rain"].values[~expected] == 1.0).all()


@pytest.mark.parametrize("bad", [np.inf, 1e30, -9999.0])
def test_a_reader_that_does_not_reject_names_the_value_and_its_place(bad):
    with pytest.raises(DataError, match=r"rain: .* mm day-1 at index \[2, 1\] \(1 such values\)"):
        conformed(bad, Variable("rain", "mm day-1", bounds=(0.0, 1000.0)))


def test_an_index_among_lazy_values_is_said_to_be_that_of_a_block():
    held = conform(raw(1e30).chunk(time=2, cell=1), {"P": Variable("rain", "mm day-1")}, step="1D", source="gauges")
    words = r"rain: 1e\+30 mm day-1 at index \[0, 0\] of the block that is read \(1 such values\) looks like a fill"
    with pytest.raises(DataError, match=words):
        held.load()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30, -9999.0])
def test_a_run_stops_before_a_bad_value_enters_its_state(bad):
    with pytest.raises(ForcingError, match="forcing rain .* at time 2001-01-03 00:00:00, cell 1 .1 such values."):
        simulate(Graph({"bucket": Bucket()}), conformed(bad))


def test_good_data_run_as_they_come_from_conform():
    water = simulate(Graph({"bucket": Bucket()}), conformed())["water"]
    assert water.values[:, 1].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_data_with_a_gap_do_not_run():
    with pytest.raises(ForcingError, match="1 steps are missing; fill the gap in sight, or split the run"):
        simulate(Graph({"bucket": Bucket()}), conform(raw().isel(time=[0, 1, 3]), {"P": RAIN}, step="1D", source="x"))
