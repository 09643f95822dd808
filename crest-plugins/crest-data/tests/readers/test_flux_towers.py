"""The reader of daily series of flux towers."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.flux_towers import read_flux_towers

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
ROWS = [
    "date,p,ta,ta_min,swc1,le,et,nee,gpp,nee_qc_frac",
    "2000-02-28,8.64,5,1,25,100,3.456,0.864,2,1",
    "2000-02-29,0,6,2,,90,3.456,-0.864,2,0.25",
    "2000-03-01,0,7,3,30,80,3.456,,2,",
]


def write(folder: Path, rows=ROWS, site="US-AR1"):
    file = folder / f"{site}_daily.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def test_a_site_is_in_the_convention_with_known_values(tmp_path):
    (tmp_path / "sites.txt").write_text("site,lat,lon,n\nUS-AR1,36.4267,-99.42,5\n")
    data = read_flux_towers(write(tmp_path), sites=tmp_path / "sites.txt")
    check_convention(data)
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [1e-4, 0.0, 0.0])
    np.testing.assert_allclose(data["evapotranspiration"].values[:, 0], 4e-5)
    np.testing.assert_allclose(data["soil_moisture_1"].values[:, 0], [0.25, np.nan, 0.3])
    np.testing.assert_allclose(data["net_ecosystem_exchange"].values[:, 0], [1e-8, -1e-8, np.nan])
    assert data["air_temperature_min"].attrs["cell_methods"] == "time: minimum"
    assert data["cell_id"].values.tolist() == ["US-AR1"] and data["lon"].item() == -99.42


def test_carbon_is_rejected_below_a_fraction_of_good_half_hours(tmp_path):
    write(tmp_path)
    assert read_flux_towers(tmp_path)["net_ecosystem_exchange_quality"].values[:, 0].tolist() == [0, 3, 1]
    data = read_flux_towers(tmp_path, min_good_fraction=0.5)
    assert data["net_ecosystem_exchange_quality"].values[:, 0].tolist() == [0, 2, 1]
    assert data["gross_primary_productivity_quality"].values[:, 0].tolist() == [0, 2, 2]
    assert data["latent_heat_flux"].values[1, 0] == 90.0
    for wrong in (50, "0.5", True):
        with pytest.raises(DataError, match=f"min_good_fraction {wrong!r}: expected a fraction"):
            read_flux_towers(tmp_path, min_good_fraction=wrong)


def test_a_netcdf_file_of_sites_is_read_when_needed(tmp_path):
    days = np.arange("2000-02-28", "2000-03-01", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    carbon = (("site", "time"), np.array([[0.864, -0.864]], "float32"), {"units": "gC m-2 d-1"})
    quality = (("site", "time"), np.array([[1.0, 0.25]], "float32"))
    raw = xr.Dataset({"nee": carbon, "nee_qc_frac": quality}, {"site": ["US-AR1"], "time": days})
    raw.assign_coords(lat=("site", [36.4]), lon=("site", [-99.4])).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    data = read_flux_towers(tmp_path / "a.nc", min_good_fraction=0.5)
    assert data["net_ecosystem_exchange"].chunks is not None and data["lat"].item() == 36.4
    np.testing.assert_allclose(data["net_ecosystem_exchange"].values[:, 0], [1e-8, np.nan], rtol=1e-6)
    raw.drop_vars("nee").to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="b.nc: none of p, ta, .*; it holds nee_qc_frac"):
        read_flux_towers(tmp_path / "b.nc")


@pytest.mark.parametrize(
    "rows, words",
    [
        ([*ROWS[:3], ROWS[3][:12]], r"line 4: 2 cells, expected the 10 of the header \(the last line"),
        ([ROWS[0], ROWS[1].replace("8.64", "wet"), *ROWS[2:]], "line 2, column 'p': expected a number, got 'wet'"),
        ([ROWS[0].replace("date", "day"), *ROWS[1:]], "no column 'date'; it holds day"),
        ([ROWS[0], ROWS[1], ROWS[1]], "line 3: the time 2000-02-28 appears twice"),
        ([ROWS[0], ROWS[1], ROWS[3]], "1 times are absent, the first 2000-02-29"),
        ([ROWS[0], ROWS[1].replace(",25,", ",2500,"), *ROWS[2:]], "line 2, column 'swc1': 2500 %"),
    ],
)
def test_a_bad_table_is_an_error_that_says_where(tmp_path, rows, words):
    with pytest.raises(DataError, match=words):
        read_flux_towers(write(tmp_path, rows))


def test_an_unknown_site_or_column_is_told(tmp_path):
    with pytest.raises(DataError, match="no site 'US-AR2' among 1 .*did you mean 'US-AR1'"):
        read_flux_towers(write(tmp_path), ids=["US-AR2"])
    data = read_flux_towers(write(tmp_path, [ROWS[0].replace("le", "le_x"), *ROWS[1:]]))
    assert "US-AR1_daily.csv: left out, not known: le_x" in data.attrs["changes"]


def test_a_table_of_sites_without_places_is_refused(tmp_path):
    (tmp_path / "sites.txt").write_text("site,latitude,lon\nUS-AR1,36.4267,-99.42\n")
    with pytest.raises(DataError, match=r"sites.txt: no column 'lat'; it holds site, latitude, lon"):
        read_flux_towers(write(tmp_path), sites=tmp_path / "sites.txt")


@needs_data
def test_the_real_tables_agree_with_pandas_and_with_the_workbook():
    folder = Path(DATA) / "flux_towers"
    data = read_flux_towers(folder, sites=Path(DATA) / "fluxnet2015/sites.csv", ids=["US-AR1", "CH-Lae"])
    check_convention(data)
    plain = pd.read_csv(folder / "CH-Lae_daily.csv", index_col="date", parse_dates=True)
    cell = data.isel(cell=1).sel(time=plain.index)
    np.testing.assert_allclose(cell["evapotranspiration"] * 86400.0, plain["et"], atol=1e-9)
    np.testing.assert_allclose(cell["soil_moisture_2"] * 100.0, plain["swc2"])
    assert int((data["soil_moisture_1"].isel(cell=0) >= 0.0).sum()) == 1357
    sites = read_flux_towers(Path(DATA) / "fluxnet2015/fluxnet2015_daily.nc", min_good_fraction=0.5, ids=["CH-Dav"])
    with xr.open_dataset(Path(DATA) / "fluxnet2015/fluxnet2015_daily.nc") as file:
        one = file.sel(site="CH-Dav").load()
    good = one["nee"].where(one["nee_qc_frac"] >= 0.5)
    np.testing.assert_allclose(sites["net_ecosystem_exchange"].values[:, 0] * 86400e3, good.values, rtol=1e-5)
