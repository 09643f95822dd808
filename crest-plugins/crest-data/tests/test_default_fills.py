"""Numbers that libraries and sensors write for "missing" do not pass undeclared; data that look like them do."""

import numpy as np
import pytest
import xarray as xr
from crest_data.convention import conform
from crest_data.errors import DataError
from crest_data.variable import Variable

DAYS = np.arange("2000-01-01", "2000-01-07", dtype="datetime64[ns]", step=np.timedelta64(1, "D"))


def conformed(values, chunks=None, **options):
    """Return six days of snow in the convention; with `chunks` of so many days, lazily."""
    raw = xr.Dataset({"SWE": ("time", np.asarray(values))}, {"time": DAYS, "lat": 47.0, "lon": 10.0})
    raw = raw if chunks is None else raw.chunk(time=chunks)
    return conform(raw, {"SWE": Variable("snow", "mm", **options)}, step="1D", source="a pillow")


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("mark", [-32767.0, -999.9, -9999.0, 9.96921e36, 9.969209968386869e36, -3.4028234663852886e38])
def test_a_fill_value_that_is_not_declared_is_refused_and_the_repair_it_names_works(mark, kind):
    values = np.array([1.0, mark, 2.0, mark, 3.0, 4.0], dtype=kind)
    with pytest.raises(DataError, match=r"snow: .* mm at index \[1, 0\] \(2 such values\) looks like a fill") as caught:
        conformed(values)
    written = float(str(caught.value).partition("missing=(")[2].partition(",)")[0])
    held = conformed(values, missing=(written,))
    assert held["snow"].values[:, 0].tolist()[::2] == [1.0, 2.0, 3.0]
    assert held["snow_quality"].values[:, 0].tolist() == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("kind", [np.float64, np.uint16])
def test_several_values_that_are_the_largest_integer_far_above_all_others_are_refused(kind):
    values = np.array([1, 65535, 2, 65535, 3, 4]).astype(kind)
    with pytest.raises(DataError, match=r"65535 mm at index \[1, 0\] \(2 such values\) .* missing=\(65535,\)"):
        conformed(values)
    assert conformed(values, missing=(65535.0,))["snow"].isnull().sum() == 2
    assert conformed(values, bounds=(0.0, 1e5))["snow"].max() == 65535.0


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 65535.0, 2.0, 3.0, 4.0, 5.0],  # one such value
        [60000.0, 65535.0, 65535.0, 50000.0, 61000.0, 62000.0],  # pressure in the mountains
        [65535.0, 70000.0, 65535.0, 1.0, 2.0, 3.0],  # not the largest
        [32766.0, 255.0, -998.9, -99.0, -32766.0, 9999.0],  # near what is written for missing
    ],
)
def test_data_that_may_be_true_pass(values):
    assert conformed(values)["snow"].values[:, 0].tolist() == values


@pytest.mark.parametrize("days", [2, 4, 6])
def test_lazy_values_are_judged_alike_whatever_their_chunks_and_what_is_left_out_is_told(days):
    values = np.array([1, 2, 32767, 32767, 20000, 5], dtype=np.int16)  # far above the others in some chunks only
    said = "snow: read lazily, not searched for undeclared fills of 32767, 65535, 2147483647, 4294967295; give bounds"
    held = conformed(values)
    lazily = conformed(values, chunks=days)
    assert (lazily["snow"] == held["snow"]).all() and lazily["snow"].max() == 32767.0
    assert said in lazily.attrs["changes"] and "not searched" not in held.attrs["changes"]
    assert "not searched" not in conformed(values, chunks=days, bounds=(0.0, 1e5)).attrs["changes"]
