"""The reader of airGR's tables, on tables in its layout and on original data."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.airgr import read_airgr

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
ROWS = ['"DatesR","P","T","E","Qls","Qmm"', '"2000-02-28",8.64,5,0.864,250,0.864', '"2000-02-29",0,6,0.864,NA,NA',
        '"2000-03-01",0,7,0.864,250,0.864']  # fmt: skip


def write(folder: Path, name="L0123001", rows=ROWS):
    (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return folder


def basins(folder: Path, code="L0123001"):
    file = folder / "basins.txt"
    file.write_text(
        f"code,name,lon,lat,area_km2,elev_median\n{code},La Vienne à X,1.5,45.8,360.0,402\n", encoding="utf-8"
    )
    return file


def test_a_catchment_is_in_the_convention_with_known_values(tmp_path):
    data = read_airgr(write(tmp_path), basins=basins(tmp_path))
    check_convention(data)
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [1e-4, 0.0, 0.0])
    np.testing.assert_allclose(data["air_temperature"].values[:, 0], [278.15, 279.15, 280.15])
    np.testing.assert_allclose(data["potential_evaporation"].values[:, 0], 1e-5)
    np.testing.assert_allclose(data["streamflow"].values[:, 0], [1e-5, np.nan, 1e-5])
    assert data["discharge"].values[0, 0] == pytest.approx(0.25) and data["discharge"].attrs["units"] == "m3 s-1"
    assert data["lat"].item() == 45.8 and data["catchment_area"].item() == 360.0
    assert data["gauge_name"].values.tolist() == ["La Vienne à X"]


def test_one_table_or_a_folder_may_be_read(tmp_path):
    write(tmp_path), write(tmp_path, name="L0123002")
    assert read_airgr(tmp_path / "L0123001.csv")["cell_id"].values.tolist() == ["L0123001"]
    assert read_airgr(tmp_path)["cell_id"].values.tolist() == ["L0123001", "L0123002"]
    assert read_airgr(tmp_path, ids=["L0123002"])["cell_id"].values.tolist() == ["L0123002"]


def test_a_netcdf_file_of_catchments_is_read_when_needed(tmp_path):
    days = np.arange("2000-02-28", "2000-03-02", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))
    rain = (("basin", "Date"), np.array([[8.64, 0.0, np.nan], [0.0, 0.0, 0.0]], dtype="float32"))
    height = (("basin", "pct"), np.linspace(100.0, 900.0, 22, dtype="float32").reshape(2, 11))
    raw = xr.Dataset({"Ptot": rain, "hypso_m": height}, {"basin": ["L0123001", "L0123002"], "Date": days})
    raw.to_netcdf(tmp_path / "air.nc", engine="h5netcdf")
    data = read_airgr(tmp_path / "air.nc", ids=["L0123001"], basins=basins(tmp_path))
    assert data["precipitation_flux"].chunks is not None
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], [1e-4, 0.0, np.nan], rtol=1e-6)
    assert data["hypsometry"].dims == ("pct", "cell")
    with pytest.raises(DataError, match="no catchment 'L0123003' among 2 .*did you mean 'L0123002' or 'L0123001'"):
        read_airgr(tmp_path / "air.nc", ids=["L0123003"])
    raw.rename(Ptot="rain").to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="none of P, Ptot, T, .*; it holds rain, hypso_m"):
        read_airgr(tmp_path / "other.nc")


@pytest.mark.parametrize(
    "rows, words",
    [
        ([*ROWS[:3], ROWS[3][:16]], r"line 4: 3 cells, expected the 6 of the header"),
        ([ROWS[0], ROWS[1].replace("8.64", "wet"), *ROWS[2:]], "line 2, column 'P': expected a number, got 'wet'"),
        ([ROWS[0].replace("DatesR", "day"), *ROWS[1:]], r"expected one column of dates \(date, Date, DatesR\)"),
        (["DatesR,rain", "2000-02-28,1"], r"columns of airGR \(P, Ptot, .*; it holds DatesR, rain"),
        ([ROWS[0], ROWS[1], ROWS[1]], "line 3: the time 2000-02-28 appears twice"),
        ([ROWS[0], ROWS[1], ROWS[3]], "1 times are absent, the first 2000-02-29"),
        (
            [ROWS[0], ROWS[1].replace("8.64", "-99"), *ROWS[2:]],
            "line 2, column 'P': -99 mm .*expected 0 to 1 kg",
        ),
    ],
)
def test_a_bad_table_is_an_error_that_says_where(tmp_path, rows, words):
    with pytest.raises(DataError, match=words):
        read_airgr(write(tmp_path, rows=rows))


def test_absent_days_are_nan_if_asked_for(tmp_path):
    data = read_airgr(write(tmp_path, rows=[*ROWS[:2], ROWS[3]]), fill_gaps=True)
    assert np.isnan(data["air_temperature"].values[1, 0])


@needs_data
def test_the_french_basins_agree_with_the_file():
    folder = Path(DATA) / "airgr_france"
    data = read_airgr(folder / "airgrdatasets.nc", basins=folder / "basins.csv")
    assert data.sizes["cell"] == 15 and data.sizes["time"] == 7305
    with xr.open_dataset(folder / "airgrdatasets.nc") as plain:
        q = plain["Qmmd"].values.T
    np.testing.assert_allclose(data["streamflow"].values * 86400.0, q, rtol=1e-6)
    # basins.csv, line 2: A273011002,La Bruche à Russ [Wisches],7.2751,48.50507,224.039993286133,603.0
    assert data["lat"].values[0] == 48.50507 and data["elevation_median"].values[0] == 603.0
