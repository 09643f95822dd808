"""FLUXNET2015 as fields of the carbon models: units, signs, days that count, land cover."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from terrahydro_carbon import COVER, site_data

from crest_core import FieldError

NEE, GPP, RECO = "net_ecosystem_exchange", "gross_primary_productivity", "ecosystem_respiration"
HEAD = "date,ta,ta_min,ta_max,vpd,sw_in,nee,gpp_nt,nee_qc_frac\n"


@pytest.fixture
def tower(tmp_path: Path) -> Path:
    """Write three days of a tower that does not exist."""
    rows = ["2001-06-20,15,10,20,5,200,-2.0,6.0,0.9", "2001-06-21,16,11,21,6,250,-3.0,7.0,0.4",
            "2001-06-22,17,12,22,7,300,1.0,5.0,1.0"]  # fmt: skip
    (tmp_path / "DE-Xxx_daily.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "sites.csv").write_text("site,lat,lon\nDE-Xxx,-20.0,10.0\n")
    (tmp_path / "cover.csv").write_text("Flux_name,LC,flux_site\nDE-Xxx,OSH,DE-Xxx\n")
    return tmp_path


def read(tower: Path, **settings) -> xr.Dataset:
    return site_data(tower, tower / "sites.csv", ids=["DE-Xxx"], **settings).load()


def test_respiration_is_what_net_exchange_and_photosynthesis_leave(tower):
    data = read(tower)
    assert data[RECO].values[:, 0] == pytest.approx([4.0, np.nan, 6.0], nan_ok=True)
    assert data[NEE].values[:, 0] == pytest.approx([-2.0, np.nan, 1.0], nan_ok=True, rel=1e-6)
    assert [data[name].attrs["positive"] for name in (NEE, GPP, RECO)] == ["up", "down", "up"]
    assert {data[name].attrs["units"] for name in (NEE, GPP, RECO)} == {"g m-2 day-1"}
    assert not [name for name in data if "ancillary_variables" in data[name].attrs]  # they are not handed on


def test_days_with_too_few_good_half_hours_do_not_count(tower):
    assert int(read(tower, min_good_fraction=0.95)[NEE].notnull().sum()) == 1
    assert int(read(tower, min_good_fraction=0.0)[NEE].notnull().sum()) == 3


def test_weather_comes_in_the_units_of_the_models(tower):
    data = read(tower)
    assert data["air_temperature"].values[0, 0] == pytest.approx(15.0)
    assert data["vapour_pressure_deficit"].values[0, 0] == pytest.approx(500.0)
    assert float(data["temperature_mean"].values[0]) == pytest.approx(16.0)
    june = data["shortwave_toa"].values[:, 0]
    assert 250.0 < june[0] < 290.0  # winter at 20 degrees south; FAO-56 table 2.6: 23.2 MJ m-2 day-1 = 268


def test_land_cover_is_one_of_the_classes(tower):
    data = read(tower, cover=tower / "cover.csv")
    assert {name: float(data[name].values[0]) for name in COVER if data[name].values[0]} == {"cover_shr": 1.0}
    (tower / "cover.csv").write_text("site,class\nDE-Xxx,OSH\n")
    with pytest.raises(FieldError, match=r"cover.csv: no columns \['LC', 'flux_site'\]; expected flux_site and LC"):
        read(tower, cover=tower / "cover.csv")


def test_land_cover_is_read_whatever_its_case_and_never_guessed(tower):
    file = tower / "cover.csv"
    file.write_text("flux_site,LC\nDE-Xxx, osh \nDE-Xxx,CSH\n")
    assert float(read(tower, cover=file)["cover_shr"].values[0]) == 1.0
    file.write_text("flux_site,LC\nDE-Xxx,GRA\nDE-Xxx,CRO\n")
    with pytest.raises(FieldError, match=r"cover.csv: site 'DE-Xxx' has two classes, 'gra' and 'cro'; keep one row"):
        read(tower, cover=file)
    file.write_bytes("flux_site,LC,name\nDE-Xxx,GRA,M\xfchle\n".encode("latin-1"))
    with pytest.raises(FieldError, match=r"cover.csv: byte 30 is no UTF-8 text; is this a table of land cover"):
        read(tower, cover=file)


def test_a_site_without_a_latitude_is_refused(tower):
    (tower / "sites.csv").write_text("site,lat,lon\nDE-Xxx,,10.0\n")
    with pytest.raises(FieldError, match=r"fluxnet-carbon: no latitude of the sites DE-Xxx \(1 in all\), which short"):
        read(tower)


def test_fluxes_of_some_years_are_kept_and_the_weather_of_all(tmp_path):
    dates = np.arange("2000-01-01", "2009-01-01", dtype="datetime64[D]")
    rows = [f"{day},1,0,2,1,50,{int(str(day)[:4]) - 2000},1.0,1.0" for day in dates]
    (tmp_path / "DE-Xxx_daily.csv").write_text(HEAD + "\n".join(rows) + "\n")
    (tmp_path / "sites.csv").write_text("site,lat,lon\nDE-Xxx,50.0,10.0\n")
    data = read(tmp_path, most_years=3)
    known = data["time"].dt.year.values[data[NEE].notnull().values[:, 0]]
    assert np.unique(known).tolist() == [2000, 2004, 2008]
    assert bool(data["air_temperature"].notnull().all())


def test_soil_that_nobody_measured_is_wet_where_it_is_asked_for(tower):
    data = read(tower, wet_soil=True)
    assert np.unique(data["root_zone_soil_moisture"].values) == pytest.approx([0.4])
    assert data["root_zone_soil_moisture"].attrs["units"] == "1"
    assert data["time_end"].values[0] == np.datetime64("2001-06-21")


def test_settings_that_leave_nothing_to_learn_from_are_refused(tower):
    for wrong in (0, -1, 1.5):
        with pytest.raises(
            FieldError, match=rf"fluxnet-carbon: most_years {wrong}; expected a whole number, 1 or more"
        ):
            read(tower, most_years=wrong)
    with pytest.raises(FieldError, match=r"none of 1 sites has fewest_days 365 with fluxes; ask for fewer, or name"):
        site_data(tower, tower / "sites.csv")
    with pytest.raises(FieldError, match=r"fluxnet-carbon: fewest_days '9'; expected a whole number"):
        site_data(tower, tower / "sites.csv", fewest_days="9")
    with pytest.raises(FieldError, match=r"none.csv: there is no such table of land cover"):
        read(tower, cover=tower / "none.csv")


def test_the_real_towers_balance(tmp_path):
    folder = Path(os.environ.get("CREST_DATA_DIR", "")) / "fluxnet2015"
    if not (folder / "fluxnet2015_daily.nc").is_file():
        pytest.skip("CREST_DATA_DIR names no folder with FLUXNET2015: no real towers to read")
    data = site_data(folder / "fluxnet2015_daily.nc", folder / "sites.csv", ids=["DE-Hai", "US-Ha1"]).load()
    error = data[NEE] - (data[RECO] - data[GPP])
    assert float(abs(error).max()) < 1e-4
    assert float(data[NEE].mean()) < -0.5  # two forests that take up carbon
