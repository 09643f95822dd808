"""Members: a reliable ensemble is told from one that is too sure of itself."""

import numpy as np
import pytest
import xarray as xr
from terrahydro import spread_and_error, together

from crest_core import ForcingError


def drawn(members: int, sharpness: float) -> tuple[xr.DataArray, xr.DataArray]:
    """Return members and a truth drawn from one distribution, the members with `sharpness` times its width."""
    draw = np.random.default_rng(4)
    width = draw.uniform(0.5, 3.0, 20000)
    truth = draw.normal(0.0, width)
    values = draw.normal(0.0, sharpness * width, (members, 20000))
    return xr.DataArray(values, dims=("member", "time")), xr.DataArray(truth, dims="time")


@pytest.mark.parametrize("members", [3, 20])
def test_members_from_the_distribution_of_the_truth_are_reliable(members):
    found = spread_and_error(*drawn(members, 1.0))
    assert found.ratio == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(found.ranks, 1.0 / (members + 1), atol=0.01)
    assert (np.diff(found.spread) > 0.0).all()


def test_members_that_are_too_alike_have_less_spread_than_error():
    found = spread_and_error(*drawn(10, 0.3))
    assert found.ratio < 0.4
    assert found.ranks[0] + found.ranks[-1] > 0.5


def test_what_was_not_observed_does_not_count():
    members, truth = drawn(5, 1.0)
    whole = spread_and_error(members, truth)
    gaps = truth.where(np.arange(truth.size) % 7 > 0)
    assert spread_and_error(members, gaps).ratio == pytest.approx(whole.ratio, abs=0.03)
    with pytest.raises(ForcingError, match=r"members: 3 observations for 8 groups; expected as many or more"):
        spread_and_error(members, truth.where(np.arange(truth.size) < 3))


def test_runs_become_members():
    run = xr.Dataset(
        {"runoff_flux": (("time", "cell"), np.ones((4, 2)), {"units": "kg m-2 day-1"})}, {"time": range(4)}
    )
    both = together([run, 2.0 * run])
    assert both["runoff_flux"].dims == ("member", "time", "cell")
    assert both["member"].values.tolist() == [1, 2]
    with pytest.raises(ForcingError, match=r"members: 1 run; a spread needs two or more"):
        together([run])


def test_observations_of_other_days_dims_or_units_are_refused():
    members, truth = drawn(3, 1.0)
    days = np.datetime64("2001-01-01") + np.arange(truth.size)
    members, truth = members.assign_coords(time=days), truth.assign_coords(time=days)
    with pytest.raises(ForcingError, match=r"members: observations are at other values of time than the members"):
        spread_and_error(members, truth.assign_coords(time=days + 1))
    with pytest.raises(ForcingError, match=r"members: observations are at other values of time than the members"):
        spread_and_error(members, truth.isel(time=slice(0, 100)))
    with pytest.raises(ForcingError, match=r"members: observations have the dims \['day'\]; expected \['time'\]"):
        spread_and_error(members, truth.rename(time="day"))
    told = members.assign_attrs(units="kg m-2 day-1")
    with pytest.raises(ForcingError, match=r"members: in 'kg m-2 day-1', observations in 'kg m-2 s-1'; convert one"):
        spread_and_error(told, truth.assign_attrs(units="kg m-2 s-1"))
    assert spread_and_error(told, truth.assign_attrs(units="kg m-2 d-1")).ratio == pytest.approx(1.0, abs=0.02)


def test_one_member_has_no_spread():
    members, truth = drawn(3, 1.0)
    with pytest.raises(ForcingError, match=r"members: 1 of them along the dim 'member', 8 groups; a spread needs two"):
        spread_and_error(members.isel(member=[0]), truth)
    with pytest.raises(ForcingError, match=r"members: 3 of them along the dim 'member', 0 groups"):
        spread_and_error(members, truth, groups=0)


def test_runs_that_do_not_belong_together_are_refused():
    run = xr.Dataset({"runoff_flux": ("time", np.ones(4), {"units": "kg m-2 day-1"})}, {"time": range(4)})
    other = run.assign(runoff_flux=run["runoff_flux"].assign_attrs(units="m s-1"))
    with pytest.raises(
        ForcingError, match=r"members: runoff_flux in \['kg m-2 day-1', 'm s-1'\]; expected runs of one"
    ):
        together([run, other])
    with pytest.raises(ForcingError, match=r"members: runs of different times or cells; expected the same in all"):
        together([run, run.isel(time=slice(1, None))])
