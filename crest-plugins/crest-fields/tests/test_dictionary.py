"""Field dictionary: signs, names and units hold; NUOPC files are read; odd files are refused."""

from pathlib import Path

import pytest

from crest_fields.dictionary import Dictionary, Entry, default_dictionary, load_dictionary
from crest_fields.errors import DictionaryError
from crest_fields.units import check_units, is_water_pair

NET_DOWNWARD = "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_all_land_processes"

# As NUOPC writes and reads them: units that are numbers or no units at all, aliases as text or list,
# before or beside the entry they stand for, one alias of two names.
NUOPC = """
 field_dictionary:
   version_number: 0.0.1
   last_modified: 2018-03-14T11:01:19Z
   institution: National ESPC, CSC & MCL Working Groups
   contact: esmf_support@example.org
   source: written for this test
   description: Community-based dictionary for shared coupling fields
   entries:
     #
     - alias: [p, pres]
       standard_name: air_pressure
     - standard_name: air_pressure
       canonical_units: Pa
       description: Air pressure
     - {alias: temp, standard_name: air_temperature, canonical_units: K}
     - standard_name: cpl_scalars
       canonical_units: unitless
       description:
     - standard_name: Sl_lfrin
       canonical_units: 1
     - standard_name: specific_humidity
       canonical_units: kg kg-1
     - standard_name: Fall_sen
       alias: mean_sensi_heat_flx
       canonical_units: W m-2
     - standard_name: Faii_sen
       alias: mean_sensi_heat_flx
       canonical_units: W m-2
"""


def written(folder: Path, text: str, name: str = "fields.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def file_of(folder: Path, *rows: str) -> Path:
    return written(folder, "field_dictionary:\n  entries:\n" + "".join(f"  - {{{row}}}\n" for row in rows))


def test_net_ecosystem_exchange_is_the_negative_of_the_net_downward_carbon_flux():
    dictionary = default_dictionary()
    nee, uptake = dictionary["net_ecosystem_exchange"], dictionary[NET_DOWNWARD]
    assert nee.standard_name == "net_ecosystem_exchange_of_carbon" and not nee.cf
    assert (nee.positive, uptake.positive) == ("up", "down")
    assert nee.negative_of == NET_DOWNWARD
    assert dictionary.resolve("net_ecosystem_exchange") == (NET_DOWNWARD, -1)
    assert dictionary.resolve(NET_DOWNWARD) == (NET_DOWNWARD, 1)
    taken_up = 2.0  # g m-2 day-1; a growing forest
    assert dictionary.resolve("net_ecosystem_exchange")[1] * taken_up == -2.0


def test_the_stated_direction_and_the_name_make_one_sign():
    dictionary = default_dictionary()
    assert dictionary.resolve("net_ecosystem_exchange", "up") == (NET_DOWNWARD, -1)
    assert dictionary.resolve("net_ecosystem_exchange", "down") == (NET_DOWNWARD, 1)
    assert dictionary.resolve(NET_DOWNWARD, "down") == (NET_DOWNWARD, 1)
    assert dictionary.resolve(NET_DOWNWARD, "up") == (NET_DOWNWARD, -1)
    assert dictionary.resolve("runoff_flux", "down") == ("runoff_flux", 1)


def test_every_negative_has_the_other_direction_and_mirrored_bounds():
    dictionary = default_dictionary()
    negatives = [entry for entry in dictionary.values() if entry.negative_of]
    assert len(negatives) >= 5
    for entry in negatives:
        opposite = dictionary[entry.negative_of]
        assert {entry.positive, opposite.positive} == {"up", "down"}
        if opposite.bounds is not None:
            assert entry.bounds == (-opposite.bounds[1], -opposite.bounds[0])


def test_every_entry_of_the_package_has_units_and_a_kind():
    for name, entry in default_dictionary().items():
        assert entry.standard_name == name and entry.kind and entry.grid_method
        check_units(entry.canonical_units)


def test_what_conserves_water_has_units_of_water():
    for entry in default_dictionary().values():
        if entry.conserves == "water":
            units = [("kg m-2", "mm"), ("kg m-2 s-1", "mm day-1"), ("m", "kg m-2"), ("m3 s-1", "kg s-1")]
            other = dict(units)[entry.canonical_units]
            assert entry.water and is_water_pair(entry.canonical_units, other)


def test_the_thickness_of_snow_is_no_depth_of_water():
    dictionary = default_dictionary()
    assert dictionary["lwe_thickness_of_surface_snow_amount"].water
    assert not dictionary["surface_snow_thickness"].water


def test_missing_value_codes_lie_outside_the_bounds_of_weather():
    dictionary = default_dictionary()
    for name in ("air_temperature", "precipitation_flux", "wind_speed", "surface_air_pressure"):
        bounds = dictionary[name].bounds
        assert bounds is not None and not bounds[0] <= -9999 <= bounds[1]


def test_a_nuopc_file_is_read_unchanged(tmp_path):
    dictionary = load_dictionary(written(tmp_path, NUOPC))
    assert len(dictionary) == 7
    assert dictionary["pres"] == dictionary["p"] == dictionary["air_pressure"]
    assert dictionary["air_pressure"].description == "Air pressure"
    assert dictionary["temp"].canonical_units == "K"
    assert dictionary["Sl_lfrin"].canonical_units == "1"
    assert dictionary["cpl_scalars"].canonical_units == "unitless"
    assert not dictionary["temp"].cf


def test_an_alias_of_two_names_is_refused_when_it_is_asked_for(tmp_path):
    dictionary = load_dictionary(written(tmp_path, NUOPC))
    assert dictionary.get("mean_sensi_heat_flx") is None
    with pytest.raises(DictionaryError, match="alias of Faii_sen, Fall_sen; name one of them"):
        dictionary["mean_sensi_heat_flx"]


def test_a_nuopc_file_that_contradicts_itself_is_read_with_a_warning(tmp_path):
    rows = ("standard_name: lat_flx, canonical_units: W m-2", "standard_name: lat_flx, canonical_units: N m-2")
    with pytest.warns(UserWarning, match="lat_flx, key canonical_units: 'W m-2' counts, not 'N m-2'"):
        dictionary = load_dictionary(file_of(tmp_path, *rows))
    assert dictionary["lat_flx"].canonical_units == "W m-2"


def test_plugins_extend_the_dictionary(tmp_path):
    nuopc = load_dictionary(written(tmp_path, NUOPC))
    own = file_of(tmp_path, "standard_name: soil_colour, canonical_units: '1', kind: parameter, cf: false")
    dictionary = default_dictionary([nuopc, own])
    assert len(dictionary) == len(default_dictionary()) + 4 + 1
    assert dictionary["temp"].kind == "state"
    assert dictionary["soil_colour"].grid_method == "nearest"
    assert "soil_colour" not in default_dictionary()


def test_an_unknown_name_stands_for_itself():
    dictionary = default_dictionary()
    assert dictionary.resolve("my_own_flux") == ("my_own_flux", 1)
    assert dictionary.get("my_own_flux") is None and "my_own_flux" not in dictionary


def test_an_unknown_name_is_refused_with_near_names():
    with pytest.raises(DictionaryError, match="'air_temprature' is not in .*did you mean 'air_temperature'"):
        default_dictionary()["air_temprature"]


def test_a_repeated_entry_adds_what_was_left_open():
    first = Entry(standard_name="q", canonical_units="1", kind="state")
    second = Entry(standard_name="q", canonical_units="kg kg-1", bounds=(0.0, 1.0), description="Humidity")
    joined = Dictionary([first, second])["q"]
    assert (joined.kind, joined.bounds, joined.description) == ("state", (0.0, 1.0), "Humidity")
    assert joined.canonical_units == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"canonical_units": "degC"}, "key canonical_units: 'K' counts, not 'degC'"),
        ({"kind": "flux"}, "key kind: 'state' counts, not 'flux'"),
        ({"bounds": (0.0, 1.0)}, r"key bounds: \(150.0, 350.0\) counts"),
    ],
)
def test_a_plugin_that_contradicts_the_dictionary_is_told_and_does_not_count(change, words):
    entry = Entry(**{"standard_name": "air_temperature", "canonical_units": "K", **change})
    with pytest.warns(UserWarning, match=f"entry air_temperature, {words}"):
        dictionary = default_dictionary([Dictionary([entry])])
    assert dictionary["air_temperature"] == default_dictionary()["air_temperature"]


def test_an_alias_that_two_dictionaries_give_to_two_names_is_refused_when_it_is_asked_for():
    first, second = (Dictionary([Entry(standard_name=name, canonical_units="1", alias=("x",))]) for name in "ab")
    assert first["x"].standard_name == "a"
    with pytest.raises(DictionaryError, match="'x' is an alias of a, b; name one of them"):
        default_dictionary([first, second])["x"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("standard_name: a, canonical_units: K, kind: flow", "entry 1, key kind: .*'flux', 'state', .* got 'flow'"),
        (
            "standard_name: a, canonical_units: K, postive: up",
            "key postive: unknown key; keys are standard_name, .* positive,",
        ),
        ("standard_name: a, canonical_units: K, bounds: [1]", r"key bounds.1: Field required, got \[1\]"),
        (
            "standard_name: a, canonical_units: K, bounds: [2, 1]",
            r"key bounds: .* expected \[low, high\], got \[2, 1\]",
        ),
        ("standard_name: a, canonical_units: K, water: 3", "key water: .* boolean.* got 3"),
        ("standard_name: a, canonical_units: tbd, kind: flux", "key kind: .* units 'tbd' are not understood"),
        ("standard_name: a, canonical_units: K, alias: 3", "key alias: .* got 3"),
        ("standard_name: a, description: b", "entry a, key canonical_units: missing"),
        ("canonical_units: K", "entry 1, key standard_name: Field required"),
    ],
)
def test_odd_entries_are_refused_with_file_and_key(tmp_path, row, words):
    with pytest.raises(DictionaryError, match=rf"fields\.yaml.*{words}"):
        load_dictionary(file_of(tmp_path, row))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("field_dictionary: [", "cannot be read as YAML"),
        ("fields: []", "has no list of mappings field_dictionary: entries"),
        ("field_dictionary: {entries: 3}", "has no list"),
        ("field_dictionary: {entries: [air_temperature]}", "has no list of mappings"),
        ("field_dictionary: {entries: [!!python/name:os.system ]}", "cannot be read as YAML"),
    ],
)
def test_odd_files_are_refused(tmp_path, text, words):
    with pytest.raises(DictionaryError, match=words):
        load_dictionary(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DictionaryError, match="absent.yaml cannot be read"):
        load_dictionary(tmp_path / "absent.yaml")


def test_a_key_given_twice_is_an_error_and_not_lost(tmp_path):
    path = tmp_path / "twice.yaml"
    entry = "{standard_name: snow_age, canonical_units: s, canonical_units: day}"
    path.write_text(f"field_dictionary:\n  entries:\n    - {entry}\n")
    with pytest.raises(DictionaryError, match="the key 'canonical_units' is given twice, line 3"):
        load_dictionary(path)
