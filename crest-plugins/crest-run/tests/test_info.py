"""The command info: fields, parameters and arguments of a registered name."""

import pytest


def test_info_shows_the_fields_with_units_and_the_gradient_policy(crest):
    status, out, _ = crest("info", "bucket")
    assert status == 0
    assert "crest_core.testing:TorchBucket(capacity: 'float' = 100.0" in out
    assert "S' = S + P - E - Q" in out
    for title in ("inputs", "outputs", "states", "parameters"):
        assert title in out.split()
    (row,) = [line for line in out.splitlines() if "precipitation_flux" in line]
    for word in ("precipitation", "mm day-1", "cell", "mean", "0 to 500"):
        assert word in row
    assert "timestep: 1D" in out and "gradient policy: autograd" in out


@pytest.mark.parametrize("name", ["bucket", "black-bucket"])
def test_info_shows_default_bounds_and_meaning_of_the_parameters(crest, name):
    lines = crest("info", name)[1].splitlines()
    (head,) = [line for line in lines if "default" in line and "meaning" in line]
    (row,) = [line for line in lines if line.startswith("│ capacity")]
    titles, cells = ([cell.strip() for cell in line.strip("┃│").replace("┃", "│").split("│")] for line in (head, row))
    shown = dict(zip(titles, cells, strict=True))
    assert (shown["units"], shown["default"], shown["bounds"]) == ("mm", "100", "10 to 500")
    assert list(shown) == ["name", "units", "dims", "default", "bounds", "meaning"]


def test_info_shows_what_each_parameter_means(crest):
    out = " ".join(crest("info", "documented")[1].split())
    assert "Share of the rain that runs off" in out  # its doc
    assert "soil hydraulic conductivity" in out  # without one, its standard name
    assert "1, 2, 3" in out  # a value for each layer
    assert "0 to 99" in out  # of a map, smallest and largest


def test_info_builds_what_the_class_leaves_open(crest):
    status, out, _ = crest("info", "black-bucket")
    assert status == 0
    assert "gradient policy: finite_difference" in out
    assert "as built with the default arguments" in out


def test_info_says_what_it_cannot_build(crest):
    status, out, _ = crest("info", "needy")
    assert status == 0
    assert "inputs: depend on the arguments" in out
    assert "cannot be built with the default arguments: TypeError" in out
    assert "outputs" in out.split()


def test_info_of_a_component_that_is_none_names_what_it_is(crest, monkeypatch):
    monkeypatch.setenv("CREST_PLUGINS", "odd,crest-run")
    for name, told in {"here": "os:getcwd gives a str", "clock": "datetime:date gives a date"}.items():
        status, out, err = crest("info", name)
        assert (status, out) == (2, "")
        assert f"crest: components {name!r} of odd 1.0 is left out: {told}, expected a Component; repair it" in err
    assert "precipitation_flux" in crest("info", "ready")[1]
    status, out, _ = crest("info", "wanting")
    assert status == 0
    assert "odd.functions:wanting(capacity)" in out and "cannot be built with the default arguments: TypeError" in out


def test_info_of_other_kinds_shows_arguments(crest):
    out = crest("info", "weather")[1]
    assert "weather  (data_sources, samples 1.0)" in out
    assert "samples.more:weather_of(days: int, seed: int = 1)" in out
    assert "no docstring" in out


def test_info_of_an_unknown_name_lists_near_ones(crest):
    status, out, err = crest("info", "buckt")
    assert (status, out) == (2, "")
    assert err.startswith("crest: 'buckt' is not installed; did you mean 'bucket'")
    assert (
        "installed: black-bucket, bucket, cwd, documented, folder, hiding, icechunk, info, lists, lstm, needy, own"
        in err
    )
    assert err.count("\n") == 1
