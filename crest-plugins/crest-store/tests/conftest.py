"""A small coupled run for the tests: a loop of a bucket and its plants, and a river."""

from types import SimpleNamespace

import pytest
import xarray as xr

from crest_core import Connection, Graph, simulate
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)
WEATHER = weather(60, 3, seed=1)
ENDS = ("2001-01-05", "2001-01-15", "2001-01-25", "2001-02-04", "2001-02-14", "2001-02-24")  # of windows


def graph():
    return Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}, [LAG])


def run(archive, end=None, resume=False, forcing=WEATHER):
    """Run through an archive in windows of 10 days; return what it opens."""
    return simulate(graph(), forcing, window="10D", end=end, archive=archive, resume=archive if resume else None)


def bits(state):
    """Return a state as bytes, which may be compared."""
    return {name: value.numpy().tobytes() for name, value in state.items()}


def same(one, other):
    """Compare datasets to the last attribute, but for the date of their last commit."""
    undated = [data.assign_attrs(history=data.attrs["history"][len("2001-01-01T00:00:00Z") :]) for data in (one, other)]
    xr.testing.assert_identical(*undated)


@pytest.fixture(scope="session")
def small():
    return SimpleNamespace(same=same, run=run, bits=bits, graph=graph, ends=ENDS, weather=WEATHER)
