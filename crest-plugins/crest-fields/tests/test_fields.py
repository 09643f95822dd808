"""FieldSpec: every contradiction is an error when it is built."""

import pytest

from crest_fields import FieldSpec
from crest_fields.errors import FieldError


def field(**changes):
    return FieldSpec(**{"name": "soil_moisture", "units": "m3 m-3", **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Soil Moisture"}, r"field name 'Soil Moisture': expected \[a-z\]"),
        ({"units": "m3 per m-3 of soil"}, r"field soil_moisture: .*'m3 per m-3 of soil'"),
        ({"units": ""}, r"field soil_moisture: .*or '1' for dimensionless"),
        ({"dims": ["cell"]}, r"dims are a tuple of distinct names"),
        ({"dims": ("cell", "cell")}, r"dims are a tuple of distinct names"),
        ({"cell_methods": "time: median"}, r"'time: median' is not 'time: ' and one of mean, sum, point"),
        ({"cell_methods": "area: mean"}, r"is not 'time: ' and one of"),
        ({"positive": "left"}, r"positive 'left' is not 'up', 'down'"),
        ({"window": 0}, r"window 0 must be 1 or more"),
        ({"window": 3, "static": True}, r"1 for a static field"),
        ({"bounds": (1.0, 0.0)}, r"bounds \(1.0, 0.0\) is not \(low, high\)"),
        ({"vertical": (0.4, 0.1)}, r"vertical \(0.4, 0.1\) is not \(low, high\)"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(FieldError, match=message):
        field(**changes)


def test_fields_meet_by_name_statistic_and_depth():
    def key(**changes):
        return field(standard_name="air_temperature", **changes).quantity

    assert key() == key(units="degC") == key(cell_methods="time: point") == key(name="t")
    assert key() != key(cell_methods="time: maximum")
    assert key() != key(vertical=(0.0, 0.1))
    assert key(vertical=(0.0, 0.1)) != key(vertical=(0.0, 0.4))


def test_a_description_names_quantity_units_statistic_and_depth():
    text = field(standard_name="soil_water", vertical=(0.0, 0.1), cell_methods="time: point").describe()
    assert text == "soil_water [m3 m-3, point, 0-0.1 m]"
