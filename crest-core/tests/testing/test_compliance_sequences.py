"""Looking at a running graph whose components run whole windows: what is wrong is named, little is made twice."""

import pytest
import torch

from crest_core import Clock, ComponentError, FieldSpec, Graph, SequenceComponent
from crest_core.testing import TorchBucket, complying
from crest_core.testing.compliance import PREFIX

RAIN = TorchBucket.inputs[0]
TIMES = Clock("2001-01-01", "2001-06-01", "1D").times


class Hillslope(SequenceComponent):
    """Runs sequences, and counts their steps."""

    inputs = (RAIN, FieldSpec(name="height", units="m", standard_name="surface_altitude", static=True))
    outputs = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux"),)
    steps, added = 0, 0.0

    def sequence(self, state, inputs, times):
        self.steps += len(times)
        return {"runoff": inputs["precipitation"] + self.added * self.steps + 0.0 * inputs["height"]}, {}


def run_long(hill):
    graph = Graph({"hill": hill})
    graph.eval()
    rain = {"precipitation": torch.ones(len(TIMES), 400), "height": torch.ones(400)}
    with torch.no_grad(), complying(graph):
        graph({}, rain, TIMES)


def test_only_the_first_steps_of_a_sequence_are_made_again():
    hill = Hillslope()
    run_long(hill)
    assert len(TIMES) < hill.steps <= len(TIMES) + 2 * PREFIX


def test_a_sequence_that_gives_another_answer_is_told():
    hill = Hillslope()
    hill.added = 1.0
    with pytest.raises(ComponentError, match="hill at 2001-01-01 00:00:00: the same call gives another runoff"):
        run_long(hill)


@pytest.mark.parametrize("wrong", [float("inf"), float("-inf"), float("nan"), -1e-3])
@pytest.mark.parametrize("bounds", [(0.0, 10.0), (0.0, float("inf")), None])
def test_what_is_wrong_in_a_long_sequence_is_named_by_its_step_and_cell(wrong, bounds):
    class Hill(SequenceComponent):
        inputs = (RAIN,)
        outputs = (FieldSpec(name="flow", units="mm day-1", standard_name="runoff_flux", bounds=bounds),)

        def sequence(self, state, inputs, times):
            flow = inputs["precipitation"].clone()
            flow[30, 1] = wrong
            return {"flow": flow}, {}

    def go():
        graph = Graph({"hill": Hill()})
        with complying(graph) as records:
            graph({}, {"precipitation": torch.ones(60, 2)}, TIMES[:60])
        return records[0]

    if bounds is None and wrong == -1e-3:
        assert go().ranges["flow"] == pytest.approx((wrong, 1.0))
        return
    with pytest.raises(ComponentError, match=r"hill at 2001-01-31 00:00:00: flow \[mm day-1\], cell 1: expected"):
        go()
