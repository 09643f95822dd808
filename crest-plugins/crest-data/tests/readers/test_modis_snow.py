"""The reader of MODIS snow cover in elevation bands."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.modis_snow import read_modis_snow

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
ROWS = ["date,P,T,SCA1,SCA2", "2000-02-28,8.64,-1,0.25,1", "2000-02-29,0,-2,,NA", "2000-03-01,0,-3,0,0.5"]


def write(folder: Path, rows=ROWS):
    file = folder / "embrun.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def test_bands_are_a_dim_and_cloudy_days_are_missing(tmp_path):
    data = read_modis_snow(write(tmp_path), lat=44.6, lon=6.5, altitudes=[1500.0, 2600.0])
    check_convention(data)
    cover = data["snow_cover_fraction"]
    assert cover.dims == ("time", "elevation_band", "cell") and cover.attrs["units"] == "1"
    np.testing.assert_array_equal(cover.values[:, :, 0], [[0.25, 1.0], [np.nan, np.nan], [0.0, 0.5]])
    assert data["snow_cover_fraction_quality"].values[:, 1, 0].tolist() == [0, 1, 0]
    assert data["elevation_band"].values.tolist() == [1, 2] and data["band_altitude"].values.tolist() == [
        1500.0,
        2600.0,
    ]
    assert data["lat"].item() == 44.6 and data["cell_id"].values.tolist() == ["embrun"]
    np.testing.assert_allclose(data["air_temperature"].values[:, 0], [272.15, 271.15, 270.15])
    assert "SCA1, SCA2 -> the dim elevation_band" in data.attrs["changes"]


def test_percent_is_converted_when_it_is_said(tmp_path):
    percent = [ROWS[0], "2000-02-28,8.64,-1,25,100", ROWS[2], "2000-03-01,0,-3,0,50"]
    data = read_modis_snow(write(tmp_path, percent), units="%", cell_id="X0310010")
    np.testing.assert_allclose(data["snow_cover_fraction"].values[0, :, 0], [0.25, 1.0])
    assert data["cell_id"].values.tolist() == ["X0310010"]
    with pytest.raises(
        DataError, match="snow-covered areas reach 100, more than 1; they may be percent: give units='%'"
    ):
        read_modis_snow(tmp_path / "embrun.csv")
    with pytest.raises(DataError, match="snow-covered areas reach only 1 %; they may be fractions: give units='1'"):
        read_modis_snow(write(tmp_path), units="%")
    with pytest.raises(DataError, match="units 'percent': expected '1' or '%'"):
        read_modis_snow(tmp_path / "embrun.csv", units="percent")


@pytest.mark.parametrize(
    "rows, words",
    [
        (
            [ROWS[0].replace("SCA2", "SCA3"), *ROWS[1:]],
            "expected columns SCA1, SCA2, ... without a break; it holds date",
        ),
        ([*ROWS[:3], "2000-03-01,0,-3,0"], "line 4: 4 cells, expected the 5 of the header"),
        (
            [ROWS[0], ROWS[1].replace("0.25", "cloud"), *ROWS[2:]],
            "line 2, column 'SCA1': expected a number, got 'cloud'",
        ),
        ([ROWS[0], ROWS[1], ROWS[1]], "line 3: the time 2000-02-28 appears twice"),
        ([ROWS[0], ROWS[1], ROWS[3]], "1 times are absent, the first 2000-02-29"),
        ([ROWS[0], ROWS[1].replace("0.25", "-1"), *ROWS[2:]], "line 2, column 'SCA1': -1 1 .*expected 0 to 1"),
        ([ROWS[0], ROWS[1].replace("0.25", "255"), *ROWS[2:]], "reach 255, more than 1; expected 0 to 100 percent"),
    ],
)
def test_a_bad_table_is_an_error_that_says_where(tmp_path, rows, words):
    with pytest.raises(DataError, match=words):
        read_modis_snow(write(tmp_path, rows))


def test_altitudes_are_one_a_band(tmp_path):
    with pytest.raises(DataError, match=r"altitudes \[2600.0, 1500.0\]: expected 2, one a band, from the lowest"):
        read_modis_snow(write(tmp_path), altitudes=[2600.0, 1500.0])


@needs_data
def test_the_durance_agrees_with_pandas():
    file = Path(DATA) / "airgr_france/durance_embrun_modis_sca.csv"
    data = read_modis_snow(file)
    plain = pd.read_csv(file)
    bands = [f"SCA{band}" for band in range(1, 6)]
    np.testing.assert_array_equal(data["snow_cover_fraction"].values[:, :, 0], plain[bands].to_numpy())
    assert [int(n) for n in data["snow_cover_fraction"].count("time").values[:, 0]] == [1777, 1644, 1602, 1531, 1446]
    np.testing.assert_allclose(data["discharge"].values[:, 0] * 1000.0, plain["Qls"])
