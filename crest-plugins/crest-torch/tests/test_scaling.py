"""FieldScaling: what it computes, that weights carry it, and what it refuses."""

import pytest
import torch
from crest_torch import FieldScaling

from crest_core import FieldError, FieldSpec, registry

RAIN = torch.tensor([2.0, 12.0, 7.0])


def scaling() -> FieldScaling:
    made = FieldScaling(("rain", "warmth"), owner="river")
    made.standardise({"rain": 2.0, "warmth": 10.0}, {"rain": 5.0, "warmth": 8.0})
    return made


def test_other_plugins_find_it_by_name():
    assert registry().load("parts", "field-scaling") is FieldScaling


def test_fields_have_mean_0_and_spread_1_and_others_stay_as_they_are():
    values = torch.randn(500, 3, generator=torch.Generator().manual_seed(1)) * 4.0 + 9.0
    made = FieldScaling(("rain", "warmth"), owner="river")
    made.standardise({"rain": float(values.mean())}, {"rain": float(values.std())})
    scaled = made({"rain": values, "warmth": values})
    assert float(scaled[..., 0].mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(scaled[..., 0].std()) == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(scaled[..., 1], values)


def test_statics_spread_over_time_and_a_stack_is_part_of_the_whole():
    made, warmth = scaling(), torch.tensor(18.0)
    whole = made({"rain": RAIN, "warmth": warmth})
    assert whole.tolist() == [[0.0, 1.0], [2.0, 1.0], [1.0, 1.0]]
    assert torch.equal(made.stacked({"warmth": warmth.expand(3), "rain": RAIN}, ["warmth", "rain"]), whole.flip(-1))
    assert [float(one) for one in made.moments("warmth")] == [10.0, 8.0]


def test_weights_carry_it_and_print_shows_it():
    other = FieldScaling(("rain", "warmth"), owner="lake")
    other.load_state_dict(scaling().state_dict())
    assert repr(other) == repr(scaling()) and "(rain - 2) / 5" in repr(other)


def test_fields_of_the_component_that_are_not_scaled_are_left_alone():
    made = scaling()
    made.standardise({"runoff": 1.0}, {"runoff": 0.0}, [FieldSpec(name="runoff", units="1")])
    assert made.mean.tolist() == [2.0, 10.0]


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ({"snow": 1.0}, {"snow": 1.0}, r"river: no fields \['snow'\] to scale, expected some of \['rain', 'warmth'\]"),
        ({"rain": 1.0}, {"rain": 0.0}, r"river: scaling needs a mean and a positive std .* not finite: \['rain'\]"),
        ({"rain": float("nan")}, {"rain": 1.0}, r"not positive or not finite: \['rain'\]"),
        ({"rain": 1.0}, {"rain": float("nan")}, r"not positive or not finite: \['rain'\]"),
        ({"rain": 1.0}, {}, r"of the same fields; mean of \['rain'\], std of \[\]"),
    ],
)
def test_what_is_no_scaling_is_refused(mean, std, words):
    made = scaling()
    with pytest.raises(FieldError, match=words):
        made.standardise(mean, std)
    assert made.std.tolist() == [5.0, 8.0]
