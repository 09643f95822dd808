"""Streams that cannot be, or do not fit a run, are refused before it begins."""

from datetime import timedelta

import numpy as np
import pytest
from crest_store import Box, IcechunkArchive, Stream, StreamError


def placed(forcing):
    """Return forcing with places on a map."""
    lat = np.linspace(40.0, 44.0, forcing.sizes["cell"])
    return forcing.assign_coords(lat=("cell", lat), lon=("cell", lat - 50.0))


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Stream(every="1D"), "statistic '' of a stream every 1D: expected one of mean, sum"),
        (lambda: Stream(statistic="mean"), "needs an interval; give every"),
        (lambda: Stream(every="1M", statistic="mean"), "for calendar months and years every='1MS'"),
        (lambda: Stream(every="0MS", statistic="mean"), "every '0MS': an interval of no length"),
        (lambda: Stream(every="0D", statistic="mean"), "'0D': expected a positive number of whole seconds"),
        (lambda: Stream(fields=()), "a stream without fields writes nothing"),
        (lambda: Box(50, 40, 0, 1), "expected -90 <= south <= north"),
        (lambda: IcechunkArchive("run", history={"A b": Stream()}), r"expected a name \[a-z\]"),
        (lambda: IcechunkArchive("run", history={}), "keeps nothing; None keeps all outputs"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_when_it_is_made(make, words):
    with pytest.raises(StreamError, match=words):
        make()


@pytest.mark.parametrize(
    "stream, words",
    [
        (
            Stream(fields=("cold",)),
            r"stream own: fields \['cold'\] do not exist; the run has evapotranspiration, storage",
        ),
        (Stream(every="1D", statistic="sum"), "sum of stream own: evapotranspiration, whose .* has no meaning"),
        (
            Stream(every="36h", statistic="max"),
            "stream own: every '36h' cuts steps of 1 day, 0:00:00; take an interval",
        ),
        (Stream(region=Box(0, 1, 0, 1)), r"stream own: Box\(.*\) holds no place; lat"),
        (Stream(region=("nowhere",)), r"stream own: cells \['nowhere'\] do not exist"),
    ],
)
def test_a_stream_that_does_not_fit_is_refused_before_the_run(tmp_path, small, stream, words):
    with IcechunkArchive(tmp_path / "run", history={"own": stream}) as archive:
        with pytest.raises(StreamError, match=words):
            archive.check(small.graph().outputs, placed(small.weather), timedelta(days=1))
        assert archive.restarts() == []


def test_streams_that_fit_pass_the_check_and_those_of_a_run_are_checked_again(tmp_path, small):
    streams = {"own": Stream(fields=("storage",), every="1MS", statistic="mean", region=Box(-90, 90, -180, 180))}
    for going_on in (False, True):
        with IcechunkArchive(tmp_path / "run", history=None if going_on else streams) as archive:
            archive.check(small.graph().outputs, placed(small.weather), timedelta(days=1))
            small.run(archive, small.ends[going_on], resume=going_on, forcing=placed(small.weather))
            with pytest.raises(StreamError, match=r"fields \['storage'\] do not exist; the run has runoff"):
                archive.check([spec for spec in small.graph().outputs if spec.name == "runoff"], placed(small.weather))
