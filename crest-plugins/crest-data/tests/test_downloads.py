"""Downloads: the requests that would be sent, and what is told where the client is absent. No network."""

import sys

import pytest
from crest_data import (
    DataError,
    download_cds,
    download_earthdata,
    earthdata_request,
    era5_land_request,
    era5_request,
)

AREA = (52.0, 8.0, 50.0, 10.0)


def test_a_month_of_era5_land_is_asked_for_day_by_day_and_hour_by_hour():
    asked = era5_land_request(["total_precipitation", "2m_temperature"], "2020-02", area=AREA)
    assert asked.dataset == "reanalysis-era5-land"
    assert asked.request == {
        "variable": ["total_precipitation", "2m_temperature"],
        "year": "2020",
        "month": "02",
        "day": [f"{day:02d}" for day in range(1, 30)],
        "time": [f"{hour:02d}:00" for hour in range(24)],
        "area": [52.0, 8.0, 50.0, 10.0],
        "data_format": "netcdf",
        "download_format": "unarchived",
    }


def test_era5_is_asked_for_the_reanalysis():
    asked = era5_request(["2m_temperature"], "2021-12", area=AREA, hours=["00:00"])
    assert asked.dataset == "reanalysis-era5-single-levels"
    assert asked.request["product_type"] == ["reanalysis"] and len(asked.request["day"]) == 31


@pytest.mark.parametrize(
    ("variables", "month", "area", "words"),
    [
        (["a"], "2020", AREA, "expected a year and month, as '2020-01'"),
        (["a"], "2020-13", AREA, "expected a year and month"),
        (["a"], "2020-01", (50.0, 8.0, 52.0, 10.0), "north above south"),
        ("a", "2020-01", AREA, "expected a list of names"),
        ([], "2020-01", AREA, "expected a list of names"),
    ],
)
def test_a_request_that_makes_no_sense_is_not_sent(variables, month, area, words):
    with pytest.raises(DataError, match=words):
        era5_request(variables, month, area=area)


def test_earthdata_gets_the_box_in_its_own_order():
    asked = earthdata_request("SPL3SMP_E", "006", area=AREA, start="2020-01-01", end="2020-01-31")
    assert asked.keywords() == {
        "short_name": "SPL3SMP_E",
        "version": "006",
        "bounding_box": (8.0, 50.0, 10.0, 52.0),
        "temporal": ("2020-01-01", "2020-01-31"),
    }


@pytest.mark.parametrize(
    ("area", "start", "end", "words"),
    [
        ((50.0, 8.0, 52.0, 10.0), "2020-01-01", "2020-01-02", "north above south"),
        (AREA, "2020-01-02", "2020-01-01", "is before start"),
        (AREA, "2020-1-2", "2020-01-01", "expected days"),
    ],
)
def test_a_search_that_makes_no_sense_is_not_sent(area, start, end, words):
    with pytest.raises(DataError, match=words):
        earthdata_request("SPL3SMP_E", "006", area=area, start=start, end=end)


def test_a_client_that_is_absent_is_told_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cdsapi", None)
    monkeypatch.setitem(sys.modules, "earthaccess", None)
    with pytest.raises(DataError, match=r"need the package cdsapi: pip install .*; and an account: https://cds"):
        download_cds(era5_request(["a"], "2020-01", area=AREA), tmp_path / "a.nc")
    asked = earthdata_request("SPL3SMP_E", "006", area=AREA, start="2020-01-01", end="2020-01-02")
    with pytest.raises(DataError, match="need the package earthaccess: pip install earthaccess"):
        download_earthdata(asked, tmp_path)


def test_a_file_that_exists_is_not_replaced(tmp_path):
    (tmp_path / "a.nc").touch()
    with pytest.raises(DataError, match="exists; give another path"):
        download_cds(era5_request(["a"], "2020-01", area=AREA), tmp_path / "a.nc")
