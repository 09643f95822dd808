"""The places of the demo: measured, computed and estimated are told apart."""

import numpy as np
import pytest
from terrahydro import fao56, twin_weather

from crest_core import ForcingError


@pytest.fixture(scope="module")
def fulda():
    return twin_weather("fulda")


def test_radiation_outside_the_atmosphere_is_that_of_fao_56_example_8():
    assert float(fao56.toa_of_day(np.array([246.0]), -20.0)[0]) * 0.0864 == pytest.approx(32.2, abs=0.05)


def test_radiation_from_temperature_is_that_of_fao_56_example_15():
    """Lyon in July: 26.6 and 14.8 degC, Ra 40.6 MJ m-2 day-1, Rs 22.3."""
    found = fao56.shortwave(np.array([14.8]), np.array([26.6]), np.array([40.6 / 0.0864]), 200.0)
    assert float(found[0]) * 0.0864 == pytest.approx(22.3, abs=0.05)


def test_saturation_is_that_of_fao_56_example_3():
    assert fao56.saturation(np.array([24.5, 15.0])) == pytest.approx([3075.0, 1705.0], rel=1e-3)


def test_discharge_becomes_runoff_by_the_area(fulda):
    assert float(fulda["runoff_flux"].values[0, 0]) == pytest.approx(143.0 * 86400.0 / 2976e6 * 1000.0)
    assert "2976 km2" in fulda["runoff_flux"].attrs["comment"]


def test_estimates_say_that_they_were_not_measured(fulda):
    for name in ("shortwave_down", "vapour_pressure", "vapour_pressure_deficit"):
        assert fulda[name].attrs["comment"].startswith("estimate, not measured")
    assert fulda["elev_mean"].attrs["comment"].startswith("assumed")
    assert bool((fulda["shortwave_down"] <= fulda["shortwave_toa"]).all())


def test_observations_can_be_left_out_and_weather_stays():
    whole = twin_weather("schwingbach")
    without = twin_weather("schwingbach", leave_out=[["2014-06-09", "2014-08-15"]])
    lost = whole["soil_moisture"].notnull() & without["soil_moisture"].isnull()
    days = lost.any(("soil_layer", "cell"))
    assert str(lost["time"].values[days.values][0])[:10] == "2014-06-09"
    assert str(lost["time"].values[days.values][-1])[:10] == "2014-08-14"
    assert without["precipitation_flux"].equals(whole["precipitation_flux"])


def test_an_unknown_place_and_half_a_period_are_refused():
    with pytest.raises(ForcingError, match=r"place 'rhine'; expected one of \['schwingbach', 'fulda'\]"):
        twin_weather("rhine")
    with pytest.raises(ForcingError, match=r"leave_out \['2014-06-09'\]; expected two dates"):
        twin_weather("schwingbach", leave_out=[["2014-06-09"]])
    with pytest.raises(ForcingError, match=r"leave_out \['2014-08-15', '2014-06-09'\] hides nothing; the second day"):
        twin_weather("schwingbach", leave_out=[["2014-08-15", "2014-06-09"]])
