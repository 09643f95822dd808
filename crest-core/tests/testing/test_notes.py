"""What a report says of a balance that nobody declares: the residual in any case, and how to declare one."""

from crest_core.testing import Balance, LinearReservoir, Stress, TorchBucket, check_component

NO_NAME = {"ports.in-dictionary": "streamflow per area has no standard name"}


class Closed(TorchBucket):
    """Declares what it conserves."""

    conserves = ("water",)


def notes(component, **arguments):
    """Return the report of the stage conservation, and the words of its notes by check."""
    report = check_component(component, stages=["conservation"], **arguments)
    assert report.ok
    return report, {result.check.id: result.text for result in report.results if result.outcome == "note"}


def test_the_residual_is_shown_where_nothing_is_claimed():
    report, found = notes(TorchBucket)
    (text,) = found.values()
    assert text.startswith("it does not declare that it conserves water; largest residual ")
    line = (
        'conserves = ("water: precipitation = evapotranspiration + runoff + d(storage)",) on the component makes this'
    )
    assert line in text
    assert f"conservation.water: {text}" in str(report)
    assert [cell for cell in report.table().columns[1].cells] == ["note"]


def test_what_the_note_proposes_can_be_declared():
    balance = Balance("water", ("rain", "snow"), ("runoff",), ("storage",))
    assert str(balance) == "water: rain + snow = runoff + d(storage)"
    assert Balance.parse(str(balance)) == balance


def test_a_component_without_any_balance_is_told_once_how_to_declare_one():
    for component, expected in ((LinearReservoir, NO_NAME), (Stress, {})):
        _, found = notes(component, expected=expected)
        assert list(found) == ["conservation.water"]
        (text,) = found.values()
        assert text.startswith("conservation: none declared, and the standard names show no balance; where the model ")
        assert 'write conserves = ("water: gain + gain = loss + d(state)",) with the names of its fields' in text


def test_what_is_declared_needs_no_note():
    assert notes(Closed)[1] == {}
