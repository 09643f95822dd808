"""The reader of Caravan's CSV files, on files in its layout and on original ones."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crest_data.convention import check_convention
from crest_data.errors import DataError
from crest_data.readers.caravan import read_caravan
from crest_data.variable import Variable

DATA = os.environ.get("CREST_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA, reason="CREST_DATA_DIR is not set: no real files to compare with")
SOIL = [f"volumetric_soil_water_layer_{layer}_mean" for layer in range(1, 5)]
HEADER = ["date", "temperature_2m_mean", "temperature_2m_min", *SOIL, "total_precipitation_sum", "streamflow", "other"]


def rows(days):
    """Lines of one gauge; the last day has no streamflow."""
    lines = [",".join(HEADER)]
    for i, day in enumerate(days):
        flow = "" if i == len(days) - 1 else "0.864"
        lines.append(f"{day},{5 + i},-1.0,0.1,0.2,0.3,0.4,8.64,{flow},7.0")
    return lines


def write(folder: Path, gauge="camels_01022500", days=("2000-02-28", "2000-02-29", "2000-03-01"), lines=None, lat=44.6):
    """Write the folders of the archive with one gauge of a source."""
    source = gauge.partition("_")[0]
    series, tables = folder / "timeseries/csv" / source, folder / "attributes" / source
    series.mkdir(parents=True, exist_ok=True), tables.mkdir(parents=True, exist_ok=True)
    (series / f"{gauge}.csv").write_text("\n".join(lines or rows(days)) + "\n")
    climate = f"gauge_id,p_mean,pet_mean_ERA5_LAND,frac_snow\n{gauge},3.5,2.0,0.25\n"
    (tables / f"attributes_caravan_{source}.csv").write_text(climate)
    place = f'gauge_id,gauge_name,country,gauge_lat,gauge_lon,area\n{gauge},"A, B",X,{lat},-67.9,573.6\n'
    (tables / f"attributes_other_{source}.csv").write_text(place)
    return folder


def test_a_gauge_is_in_the_convention_with_known_values(tmp_path):
    data = read_caravan(write(tmp_path))
    check_convention(data)
    np.testing.assert_allclose(data["precipitation_flux"].values[:, 0], 1e-4)
    assert data["precipitation_flux"].attrs["cell_methods"] == "time: mean"
    np.testing.assert_allclose(data["air_temperature"].values[:, 0], [278.15, 279.15, 280.15])
    assert data["air_temperature_min"].attrs["cell_methods"] == "time: minimum"
    np.testing.assert_allclose(data["streamflow"].values[:, 0], [1e-5, 1e-5, np.nan])
    assert data["soil_moisture"].dims == ("time", "soil_layer", "cell")
    assert data["soil_moisture"].values[0, :, 0].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert data["depth_bottom"].values.tolist() == [0.07, 0.28, 1.0, 2.89]
    assert data["lat"].values.tolist() == [44.6] and data["gauge_name"].values.tolist() == ["A, B"]
    assert data["catchment_area"].values.tolist() == [573.6] and data["p_mean"].attrs["units"] == "mm day-1"
    assert data["pet_mean_era5_land"].values.tolist() == [2.0]
    assert "local standard time" in data.attrs["time_zone"]


def test_an_undocumented_column_is_left_out_and_told_or_read_as_declared(tmp_path):
    data = read_caravan(write(tmp_path))
    assert "left out, not documented by Caravan: other; name them in extra=" in data.attrs["changes"]
    data = read_caravan(tmp_path, extra={"other": Variable("other_rain", "mm day-1")})
    assert data["other_rain"].values[:, 0].tolist() == [7.0, 7.0, 7.0]


def test_gauges_of_other_periods_are_nan_outside_theirs_and_told(tmp_path):
    write(tmp_path)
    write(tmp_path, gauge="lamah_7", days=("2000-02-29", "2000-03-01"), lat=47.0)
    data = read_caravan(tmp_path)
    assert data["cell_id"].values.tolist() == ["camels_01022500", "lamah_7"]
    assert data["lat"].values.tolist() == [44.6, 47.0]
    assert np.isnan(data["air_temperature"].values[0, 1]) and data["air_temperature"].values[1, 1] == 278.15
    assert "lamah_7: covers 2000-02-29 to 2000-03-01, nan before and after" in data.attrs["changes"]
    assert read_caravan(tmp_path, ids=["lamah_7"]).sizes["time"] == 2


def test_absent_tables_of_attributes_are_told(tmp_path):
    (next(write(tmp_path).rglob("attributes_other_camels.csv"))).unlink()
    data = read_caravan(tmp_path)
    assert "no table attributes_other_camels.csv: its attributes are absent" in data.attrs["changes"]
    assert np.isnan(data["lat"].item()) and "p_mean" in data
    assert "p_mean" not in read_caravan(tmp_path, attributes=False)


def test_an_unknown_gauge_is_an_error_that_names_one_like_it(tmp_path):
    with pytest.raises(DataError, match="no gauge 'camels_01022501' among 1 .*did you mean 'camels_01022500'"):
        read_caravan(write(tmp_path), ids=["camels_01022501"])
    with pytest.raises(DataError, match="no gauge found here; is this the folder of the source"):
        read_caravan(tmp_path / "attributes")
    table = next(tmp_path.rglob("attributes_caravan_camels.csv"))
    table.write_text(table.read_text().replace("camels_01022500", "camels_01022600"))
    with pytest.raises(DataError, match="no row for 'camels_01022500'; did you mean 'camels_01022600'"):
        read_caravan(tmp_path)
    table.write_text("gauge_id,p_mean\ncamels_01022500,n/a\n")
    with pytest.raises(DataError, match="line 2, column 'p_mean': expected a number, got 'n/a'"):
        read_caravan(tmp_path)
    table.write_text("gauge_id,p_mean\ncamels_01022500,1\ncamels_01022500,1\n")
    with pytest.raises(DataError, match="line 3: gauge_id 'camels_01022500' appears twice; keep one"):
        read_caravan(tmp_path)


@pytest.mark.parametrize(
    "edit, words",
    [
        (lambda all: [*all[:-1], all[-1][:30]], r"line 4: \d+ cells, expected the 10 of the header \(the last line"),
        (lambda all: [all[0], all[1].replace("8.64", "wet"), *all[2:]], "line 2, column 'total_precipitation_sum': ex"),
        (
            lambda all: [all[0].replace("streamflow", "stream_flow"), *all[1:]],
            "no column 'streamflow'; .*mean 'stream_f",
        ),
        (
            lambda all: [all[0].replace("layer_2", "layer_9"), *all[1:]],
            r"of the soil columns \*_mean only .*four layers",
        ),
        (lambda all: [*all[:2], *all[1:]], "line 3: the time 2000-02-28 appears twice; keep one"),
        (lambda all: [all[0], all[2], all[1], all[3]], "line 3: the time 2000-02-28 is not sorted"),
        (lambda all: [*all[:2], all[3]], "1 times are absent, the first 2000-02-29; repair the file, or ask"),
        (
            lambda all: [all[0], all[1].replace("2000-02-28", "28.2.2000"), *all[2:]],
            "line 2, column 'date': '28.2.2000'",
        ),
        (
            lambda all: [all[0], all[1].replace("8.64", "-8.64"), *all[2:]],
            "column 'total_precipitation_sum': -8.64 mm",
        ),
        (
            lambda all: [all[0], all[1].replace("8.64", "-999"), *all[2:]],
            "column 'total_precipitation_sum': -999 mm .* looks like a fill",
        ),
    ],
)
def test_a_bad_file_is_an_error_that_says_where(tmp_path, edit, words):
    lines = edit(rows(("2000-02-28", "2000-02-29", "2000-03-01")))
    with pytest.raises(DataError, match=words):
        read_caravan(write(tmp_path, lines=lines))


def test_absent_days_are_nan_if_asked_for_and_packed_files_are_read(tmp_path):
    write(tmp_path, days=("2000-02-28", "2000-03-01"))
    file = next(tmp_path.rglob("camels_01022500.csv"))
    Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    data = read_caravan(tmp_path, fill_gaps=True)
    assert data.sizes["time"] == 3 and np.isnan(data["air_temperature"].values[1, 0])
    assert "1 times are absent, the first 2000-02-29; inserted as nan" in data.attrs["changes"]


@needs_data
def test_original_files_agree_with_pandas():
    folder = Path(DATA) / "caravan"
    data = read_caravan(folder, attributes=False)
    check_convention(data)
    assert data["cell_id"].values.tolist() == [
        "camelsch_4001",
        "camelses_1414",
        "camelslx_054",
        "camelslx_055",
        "testde_2",
    ]
    assert str(data["time"].values[0])[:10] == "1980-01-02" and str(data["time"].values[-1])[:10] == "2022-12-31"
    plain = pd.read_csv(folder / "camelses_1414.csv.gz", index_col="date", parse_dates=True)
    cell = data.isel(cell=1).sel(time=plain.index)
    np.testing.assert_allclose(cell["precipitation_flux"] * 86400.0, plain["total_precipitation_sum"], atol=1e-9)
    np.testing.assert_allclose(cell["streamflow"] * 86400.0, plain["streamflow"], atol=1e-9)
    np.testing.assert_allclose(cell["air_pressure"] / 1000.0, plain["surface_pressure_mean"])
    np.testing.assert_allclose(cell["soil_moisture"].isel(soil_layer=3), plain["volumetric_soil_water_layer_4_mean"])
    static = read_caravan(folder, ids=["camelslx_054"])
    table = pd.read_csv(folder / "attributes_caravan_camelslx.csv", index_col="gauge_id")
    assert static["aridity"].item() == table.loc["camelslx_054", "aridity"]


def test_an_attribute_of_unknown_units_is_left_out_and_text_is_a_coordinate(tmp_path):
    write(tmp_path)
    table = next(tmp_path.rglob("attributes_other_camels.csv"))
    head, row = table.read_text().splitlines()
    table.write_text(f"{head},wells,river\n{row},7,Narraguagus\n")
    data = read_caravan(tmp_path)
    assert "left out, units unknown: wells" in data.attrs["changes"]
    assert data["river"].values.tolist() == ["Narraguagus"]
