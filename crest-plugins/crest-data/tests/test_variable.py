"""Variable: what a description of a variable may hold, in Python and in a catalogue."""

import re

import pytest
from crest_data.catalogue.check import check_entry
from crest_data.catalogue.load import load_catalogue
from crest_data.errors import DataError
from crest_data.variable import Variable

WRONG = [
    ("units", 5, "units 5; expected text"),
    ("cell_methods", 5, "cell_methods 5; expected text"),
    ("long_name", 5, "long_name 5; expected text"),
    ("missing", 5, "missing 5; expected a list of numbers, as [-9999]"),
    ("missing", ("a",), "missing ('a',); expected a list of numbers, as [-9999]"),
    ("bounds", (1,), "bounds (1,); expected two numbers, as [0, 500], or none"),
    ("bounds", ("a", "b"), "bounds ('a', 'b'); expected two numbers"),
    ("vertical", 5, "vertical 5; expected two numbers"),
    ("vertical", ("a",), "vertical ('a',); expected two numbers"),
    ("reject", "maybe", "reject 'maybe'; expected true or false"),
]


@pytest.mark.parametrize(("key", "value", "said"), WRONG)
def test_a_value_of_another_type_is_told_with_its_key(key, value, said):
    with pytest.raises(DataError) as caught:
        Variable(**{"name": "rain", "units": "mm day-1", key: value})
    assert str(caught.value).startswith(f"variable 'rain': {said}")


@pytest.mark.parametrize("text", ["bounds: [1]", "units: 5", "bounds: [1, 0]", "unit: mm"])
def test_a_description_in_a_catalogue_is_told_with_its_line(write, folder, text):
    changed = write(folder, lambda held: held.replace("units: mm day-1, bounds: [0, 500]", f"{text}, positive: down"))
    found = check_entry(load_catalogue(changed)["daily"])
    assert found.status == "failed"
    assert re.match(r".*brook.yaml:\d+: entries.daily.arguments.variables.rain: ", found.message)
