"""Components whose gradients, numbers or balances are wrong."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from crest_core.testing import Balance, TorchBucket

RAIN, EVAPORATION = TorchBucket.inputs
STORAGE, RUNOFF = TorchBucket.outputs


class Rained(TorchBucket):
    """A bucket whose rain is changed by `changed`."""

    def changed(self, rain):
        return rain

    def step(self, state, inputs, time):
        return super().step(state, inputs | {"precipitation": self.changed(inputs["precipitation"])}, time)


class OffTheTape(TorchBucket):
    """Detaches what it returns."""

    def step(self, state, inputs, time):
        outputs, state = super().step(state, inputs, time)
        return {k: v.detach() for k, v in outputs.items()}, {k: v.detach() for k, v in state.items()}


class _Half(torch.autograd.Function):
    """The identity, with half of its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent / 2


class HalfTheGradient(Rained):
    """Has a backward pass that is wrong by a factor."""

    def changed(self, rain):
        return _Half.apply(rain)


class DetachesState(TorchBucket):
    """Cuts the tape between steps."""

    def step(self, state, inputs, time):
        return super().step({"storage": state["storage"].detach()}, inputs, time)


class DetachesParameters(TorchBucket):
    """Takes parameters off the tape."""

    def step(self, state, inputs, time):
        values = {name: value.detach() for name, value in self.physical.values().items()}
        share = nn.functional.softplus(state["storage"]) / values["capacity"]
        runoff = inputs["precipitation"] * torch.tanh(share ** values["shape"])
        storage = state["storage"] + inputs["precipitation"] - inputs["evapotranspiration"] - runoff
        return {"storage": storage, "runoff": runoff}, {"storage": storage}


class ClipsGradients(Rained):
    """Clips the gradient of the rain."""

    def changed(self, rain):
        rain = rain * 1.0
        if rain.requires_grad:
            rain.register_hook(lambda gradient: gradient.clamp(-1e-6, 1e-6))
        return rain


class _Blunt(torch.autograd.Function):
    """The identity, its backward pass off the tape."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent.detach().clone()


class FirstDerivativesOnly(Rained):
    """Has a backward pass that is right, but nothing can be derived from it."""

    def changed(self, rain):
        return _Blunt.apply(rain)


class RootOfNothing(Rained):
    """Has an infinite slope where it adds nothing."""

    def changed(self, rain):
        return rain + torch.sqrt(0.0 * rain)


class UnusedParameter(TorchBucket):
    """Has a parameter that nothing reads."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Parameter(torch.ones(()))


class AlwaysDouble(TorchBucket):
    """Returns float64 whatever comes in."""

    def step(self, state, inputs, time):
        outputs, state = super().step(state, inputs, time)
        return {name: value.double() for name, value in outputs.items()}, state


class SingleWeights(Rained):
    """Keeps a matrix in float32 that no conversion reaches."""

    def __init__(self):
        super().__init__()
        self.weights = torch.ones(1, 1)

    def changed(self, rain):
        return nn.functional.linear(rain.unsqueeze(-1), self.weights).squeeze(-1)


class ScalesByTheMean(Rained):
    """Multiplies by one, computed from all cells."""

    def changed(self, rain):
        return rain + 0.0 * rain.mean(-1, keepdim=True)


class FillsGaps(Rained):
    """Takes no rain where none is known."""

    def changed(self, rain):
        return torch.nan_to_num(rain)


class NeedsOrder(Rained):
    """Takes tensors with memory in order only."""

    def changed(self, rain):
        return rain.view(-1).view(rain.shape)


class Grows(TorchBucket):
    """Doubles its water every step."""

    outputs = (replace(STORAGE, bounds=None), replace(RUNOFF, bounds=None))
    states = (replace(STORAGE, bounds=None),)

    def step(self, state, inputs, time):
        storage = 2.0 * state["storage"] + inputs["precipitation"] - inputs["evapotranspiration"]
        return {"storage": storage, "runoff": inputs["precipitation"]}, {"storage": storage}


class NarrowBounds(TorchBucket):
    """Says that runoff is never above 1 mm a day."""

    outputs = (STORAGE, replace(RUNOFF, bounds=(0.0, 1.0)))


class DividesByZero(Rained):
    """Has a pole at the upper end of the bounds of rain."""

    def changed(self, rain):
        return rain + 1e-9 / (500.0 - rain)


class Leaks(TorchBucket):
    """Loses a thousandth of its water."""

    def step(self, state, inputs, time):
        outputs, state = super().step(state, inputs, time)
        return outputs, {"storage": 0.999 * state["storage"]}


class LeaksALittle(TorchBucket):
    """Loses 1e-7 mm a step."""

    def step(self, state, inputs, time):
        outputs, state = super().step(state, inputs, time)
        return outputs, {"storage": state["storage"] - 1e-7}


FAILING = {
    OffTheTape: {"gradients.policy-honest"},
    HalfTheGradient: {"gradients.inputs", "gradients.dry"},
    DetachesState: {"gradients.inputs", "gradients.state", "gradients.parameters"},
    DetachesParameters: {"gradients.parameters"},
    ClipsGradients: {"gradients.inputs", "gradients.dry", "gradients.linear", "gradients.dot-product"},
    FirstDerivativesOnly: {"gradients.dot-product"},
    RootOfNothing: {"gradients.finite", "gradients.dry", "gradients.inputs", "gradients.dot-product"},
    AlwaysDouble: {"numerics.dtype"},
    ScalesByTheMean: {"numerics.nan-contained", "numerics.inf-contained"},
    NeedsOrder: {"numerics.views"},
    Grows: {"numerics.long-run"},
    NarrowBounds: {"numerics.bounds"},
    DividesByZero: {"numerics.extremes"},
}
WARNING = {
    UnusedParameter: {"gradients.reach"},
    SingleWeights: {"numerics.float64"},
    FillsGaps: {"numerics.nan-shown"},
}


@pytest.mark.parametrize("component", FAILING, ids=lambda kind: kind.__name__)
def test_a_wrong_number_is_told_by_its_own_checks(component, broken_rules):
    failed, _ = broken_rules(component)
    assert failed == FAILING[component]


@pytest.mark.parametrize("component", WARNING, ids=lambda kind: kind.__name__)
def test_what_may_be_meant_is_a_warning(component, broken_rules):
    assert broken_rules(component) == (set(), WARNING[component])


def test_a_leak_is_a_failure_where_the_balance_is_claimed_and_reported_where_not(broken_rules):
    assert broken_rules(Leaks, conserves=["water"])[0] == {"conservation.water"}
    assert broken_rules(Leaks) == (set(), set())


def test_a_residual_of_a_ten_millionth_of_a_millimetre_is_a_warning(broken_rules):
    assert broken_rules(LeaksALittle, conserves=["water"]) == (set(), {"conservation.water"})


def test_a_flux_that_is_left_out_shows_as_a_residual(broken_rules):
    whole = Balance("water", ("precipitation",), ("evapotranspiration", "runoff"), ("storage",))
    assert broken_rules(TorchBucket, conserves=[whole])[0] == set()
    assert broken_rules(TorchBucket, conserves=[replace(whole, losses=("runoff",))])[0] == {"conservation.water"}


def test_a_claim_without_fields_of_the_quantity_fails(broken_rules):
    assert broken_rules(TorchBucket, conserves=["carbon"])[0] == {"conservation.carbon"}
    assert broken_rules(TorchBucket, conserves=["energy: heat = d(warmth)"])[0] == {"conservation.energy"}
