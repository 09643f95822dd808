"""Units: conversions undo each other, mean what physics says, and refuse the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crest_fields.errors import CrestError, UnitError
from crest_fields.units import (
    Conversion,
    check_units,
    conversion,
    is_rate_pair,
    is_water_pair,
    rate_conversion,
    water_conversion,
)

FAMILIES = [
    ["K", "degC", "degF"],
    ["1", "%", "m3 m-3", "kg kg-1", "g kg-1"],
    ["mm day-1", "m s-1", "mm h-1", "cm d-1"],
    ["Pa", "hPa", "kPa", "millibar"],
    ["kg m-2 s-1", "g m-2 day-1", "g cm-2 h-1"],
    ["W m-2", "J m-2 s-1", "MJ m-2 day-1"],
]
PAIRS = [(a, b) for family in FAMILIES for a in family for b in family]
VALUES = st.floats(-1e6, 1e6)


@settings(deadline=None)
@given(pair=st.sampled_from(PAIRS), value=VALUES)
def test_there_and_back_is_the_same_value(pair, value):
    there, back = conversion(*pair), conversion(*reversed(pair))
    scale = max(abs(value), abs(there.offset / there.scale), 1e-12)
    assert abs(back(there(value)) - value) <= 1e-12 * scale


@settings(deadline=None)
@given(family=st.sampled_from(FAMILIES), value=VALUES, data=st.data())
def test_a_detour_gives_the_direct_answer(family, value, data):
    first, second, third = (data.draw(st.sampled_from(family)) for _ in range(3))
    direct = conversion(first, third)(value)
    detour = conversion(second, third)(conversion(first, second)(value))
    assert detour == pytest.approx(direct, rel=1e-12, abs=1e-9 * abs(conversion(first, third).scale))


@settings(deadline=None)
@given(seconds=st.sampled_from([60.0, 3600.0, 86400.0]), value=VALUES)
def test_an_amount_made_a_rate_and_back_is_the_same_amount(seconds, value):
    rate = rate_conversion("mm", "kg m-2 s-1", seconds, density=1000.0)
    amount = rate_conversion("kg m-2 s-1", "mm", seconds, density=1000.0)
    assert amount(rate(value)) == pytest.approx(value, rel=1e-13)


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_units_or_a_unit_error(text):
    try:
        check_units(text)
    except UnitError:
        pass


@pytest.mark.parametrize(
    ("source", "target", "scale", "offset"),
    [
        ("degC", "K", 1.0, 273.15),
        ("K", "degC", 1.0, -273.15),
        ("degF", "degC", 5 / 9, pytest.approx(-160 / 9)),
        ("%", "1", 0.01, 0.0),
        ("hPa", "Pa", 100.0, 0.0),
        ("mm day-1", "m s-1", 1 / 86_400_000, 0.0),
        ("m s-1", "mm day-1", 86_400_000.0, 0.0),
        ("g m-2 day-1", "kg m-2 s-1", 1 / 86_400_000, 0.0),
        ("mm d-1", "mm day-1", 1.0, 0.0),
        ("J m-2 s-1", "W m-2", 1.0, 0.0),
    ],
)
def test_known_conversions_are_exact(source, target, scale, offset):
    change = conversion(source, target)
    assert (change.scale, change.offset) == (pytest.approx(scale, rel=1e-12), offset)
    assert change.is_identity == (scale == 1.0 and offset == 0.0)


def test_one_millimetre_of_water_weighs_one_kilogram_per_square_metre():
    assert water_conversion("mm", "kg m-2").is_identity
    assert water_conversion("mm day-1", "kg m-2 s-1") == Conversion(1 / 86400)
    assert water_conversion("kg m-2 s-1", "mm day-1") == Conversion(86400.0)
    assert water_conversion("m3 s-1", "kg s-1").scale == 1000.0
    assert water_conversion("mm", "kg m-2", density=917.0)(2.0) == pytest.approx(1.834)


def test_a_day_of_energy_is_a_mean_flux_times_86400_s():
    assert rate_conversion("J m-2", "W m-2", 86400.0)(8.64e6) == pytest.approx(100.0)
    assert rate_conversion("W m-2", "MJ m-2", 86400.0)(100.0) == pytest.approx(8.64)
    assert rate_conversion("mm", "mm day-1", 3600.0)(1.0) == pytest.approx(24.0)
    assert rate_conversion("mm", "kg m-2 s-1", 86400.0, density=1000.0) == Conversion(1 / 86400)


def test_pairs_are_told_apart():
    assert is_water_pair("mm", "kg m-2") and not is_rate_pair("mm", "kg m-2")
    assert is_rate_pair("J m-2", "W m-2") and not is_water_pair("J m-2", "W m-2")
    assert is_rate_pair("mm", "kg m-2 s-1") and not is_water_pair("mm", "kg m-2 s-1")
    assert not is_water_pair("mm", "m") and not is_rate_pair("W m-2", "kg m-2 s-1")


@pytest.mark.parametrize("values", [3.0, np.float32([3.0]), np.float64([3.0])])
def test_floats_and_arrays_convert_and_keep_their_type(values):
    result = conversion("degF", "K")(values)
    assert type(result) is type(values)
    assert float(np.asarray(result).item()) == pytest.approx(257.0389, abs=1e-3)
    if not isinstance(values, float):
        assert result.dtype == values.dtype


def test_an_identity_returns_its_argument_itself():
    values = np.ones(2)
    assert conversion("K", "kelvin")(values) is values


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Conversion(86400.0), "x 86400"),
        (Conversion(1 / 86400), "/ 86400"),
        (Conversion(1.0, 273.15), "+ 273.15"),
        (Conversion(1.8, -459.67), "x 1.8 - 459.67"),
        (Conversion(), "unchanged"),
    ],
)
def test_a_conversion_describes_itself(change, text):
    assert change.describe() == text


@pytest.mark.parametrize(
    "text",
    ["1", "%", "degC", "K", "kg m-2 s-1", "mm day-1", "m3 m-3", "hPa", "J m-2", "W m-2", "degrees_north"]
    + ["umol m-2 s-1", "g m-2 day-1", "W/m^2", "m**2"],
)
def test_units_of_the_field_are_read(text):
    check_units(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty.*'1' for dimensionless"),
        ("mm/day/", "'mm/day/' are not understood .* did you mean 'mm day-1'"),
        ("kgm-2", "'kgm-2' are not understood .*'kgm' is not defined.* did you mean 'kg m-2'"),
        ("Kelvin", "'Kelvin' is ambiguous or no unit; write 'K'"),
        ("none", "'none' is ambiguous or no unit; write '1'"),
        ("C", "'C' is ambiguous or no unit; write 'degC'"),
        ("W m-2 C-1", "'C' is ambiguous or no unit; write 'degC'"),
        ("mb", "'mb' is ambiguous or no unit; write 'hPa'"),
        ("m day -1", "not understood"),
        ("9**9**9", "its powers are too large"),
        ("9 ^ 9 ^ 9", "its powers are too large"),
        ("m**999999999", "its powers are too large"),
        ("((m**99)**99)**99", "its powers are too large"),
        ("m " * 500, "its powers are too large"),
    ],
)
def test_odd_units_are_refused_with_a_hint(text, words):
    with pytest.raises(UnitError, match=words) as caught:
        check_units(text)
    assert isinstance(caught.value, CrestError) and isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("K", "mm", r"'K' \(\[temperature\]\) cannot be converted to 'mm' \(\[length\]\)$"),
        ("mm", "kg m-2", "differ by a density: give it, in kg m-3"),
        ("J m-2", "W m-2", "an amount and a rate differ by a time"),
        ("umol m-2 s-1", "kg m-2 s-1", "substance.* cannot be converted"),
    ],
)
def test_impossible_conversions_name_both_units(source, target, words):
    with pytest.raises(UnitError, match=words):
        conversion(source, target)


def test_a_missing_density_or_step_is_asked_for():
    with pytest.raises(UnitError, match="differ by a density: give it, in kg m-3"):
        rate_conversion("mm", "kg m-2 s-1", 86400.0)
    with pytest.raises(UnitError, match="the amount needs cell_methods 'time: sum'"):
        water_conversion("mm", "kg m-2 s-1")
