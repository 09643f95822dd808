"""Times of sources agree in step, phase, calendar and zone, or are refused."""

import numpy as np
import pytest
from crest_samples import (
    Between,
    SampleError,
    Source,
    Window,
    make_samples,
)
from crest_samples.example import days
from crest_samples.example import example_gauges as gauges


def test_sources_whose_times_differ_need_a_period_that_all_cover():
    early, late = gauges(steps=60), gauges(steps=60).assign_coords(time=days(60, "2001-01-11"))
    sources = [Source(early.rename(discharge="rain"), ("rain",))], [Source(late, ("discharge",))]
    with pytest.raises(SampleError, match=r"its times are 2001-01-11.* give period=\(start, end\) that both cover"):
        make_samples(*sources, Window(5))
    samples = make_samples(*sources, Window(5), period=("2001-01-11", "2001-03-02"))
    batch = samples[0]
    assert len(samples) == 6 * 46 and (batch.inputs["rain"] - batch.targets["discharge"] == 10).all()
    with pytest.raises(SampleError, match="the period 2001-01-01 to 2001-04-01 is not covered"):
        make_samples(*sources, Window(5), period=("2001-01-01", "2001-04-01"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.assign_coords(time=data["time"] + np.timedelta64(12, "h")), "at one step and phase"),
        (lambda data: data.isel(time=slice(None, None, 2)), "every 172800 s"),
        (lambda data: data.convert_calendar("noleap"), "its calendar is noleap, that of .* is standard"),
        (lambda data: data.isel(time=[0, 1, 3, 4]), "not evenly spaced: 2001-01-02.* is followed by 2001-01-04"),
        (lambda data: data.isel(time=[1, 0]), "not evenly spaced"),
    ],
)
def test_times_are_never_aligned(change, words):
    data = gauges()
    with pytest.raises(SampleError, match=words):
        make_samples([Source(data, ("discharge",))], [Source(change(data).rename(discharge="q"), ("q",))], Window(5))


LOCAL = "local days of the gauge"


def test_days_of_two_zones_are_not_joined():
    """Sources that tell no zone are in UTC, as the convention has it."""
    data = gauges()
    discharge, rain = Source(data, ("discharge",)), data.rename(discharge="q").assign_attrs(time_zone=LOCAL)
    local = Source(rain, ("q",))
    words = (
        f"source 'q': its time_zone is '{LOCAL}', that of source 'discharge' is 'UTC'; days of two zones are not the "
        r"same days: make both of one zone from hours, or, .* give both one attrs\['time_zone'\]"
    )
    for period in (None, ("2001-01-02", "2001-02-01")):
        with pytest.raises(SampleError, match=words):
            make_samples([discharge], [local], Window(5), period=period)
    with pytest.raises(SampleError, match=f"its time_zone is '{LOCAL}', that of the samples is 'UTC'"):
        make_samples([discharge], [discharge], Window(5), masks=[Between(local, low=0.0)])
    told = Source(rain.assign_attrs(time_zone="UTC"), ("q",))
    assert len(make_samples([discharge], [told], Window(5))) == 6 * 96
    static = Source(rain, ("slope",))  # has no days
    assert len(make_samples([static], [discharge], Window(5))) == 6 * 96
    assert make_samples([static], [local], Window(5)).axis.zone == LOCAL


def test_points_of_time_are_not_joined_with_intervals():
    rain = gauges().rename(discharge="rain")
    rain["rain"].attrs["cell_methods"] = "time: mean"
    moments = gauges()
    moments["discharge"].attrs["cell_methods"] = "time: point"
    inputs, targets = [Source(rain, ("rain",))], [Source(moments, ("discharge",))]
    with pytest.raises(SampleError, match="discharge holds at points of time, without intervals, and .* is of interv"):
        make_samples(inputs, targets, Window(5))
    edges = np.stack([moments["time"].values, moments["time"].values + np.timedelta64(1, "D")], axis=1)
    bounded = moments.assign(time_bnds=(("time", "bnds"), edges))
    assert len(make_samples(inputs, [Source(bounded, ("discharge",))], Window(5))) == len(
        make_samples([Source(gauges().rename(discharge="rain"), ("rain",))], targets, Window(5))
    )


def test_samples_work_in_a_calendar_without_leap_days():
    data = gauges().convert_calendar("noleap")
    batch = make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(5))[3]
    assert [str(time)[:10] for time in batch.times[:2, 0]] == ["2001-01-04", "2001-01-05"]
