"""Components that run wrongly: shapes, purity, sequences, invariance, state."""

import itertools
import os

import pytest
import torch
from torch import nn

from crest_core import Sizes
from crest_core.testing import TorchBucket

STORAGE = TorchBucket.states[0]


class Rained(TorchBucket):
    """A bucket whose rain is changed by `changed`."""

    def changed(self, rain, time):
        return rain

    def step(self, state, inputs, time):
        return super().step(state, inputs | {"precipitation": self.changed(inputs["precipitation"], time)}, time)


class StartsWithoutMembers(TorchBucket):
    """Forgets the leading dims of the state."""

    def initial_state(self, sizes):
        return {"storage": Sizes(sizes.dims, dtype=sizes.dtype).full(STORAGE, 50.0)}


class StartsInFloat32(TorchBucket):
    """Starts in float32 whatever is asked for."""

    def initial_state(self, sizes):
        return {"storage": torch.full(sizes.shape(STORAGE), 50.0)}


class ExtraInStep(TorchBucket):
    """Returns an output that it does not declare."""

    def step(self, state, inputs, time):
        outputs, state = super().step(state, inputs, time)
        return outputs | {"debug": outputs["runoff"]}, state


class LosesTheTimeAxis(TorchBucket):
    """Squeezes a sequence of one step."""

    def sequence(self, state, inputs, times):
        outputs, state = super().sequence(state, inputs, times)
        return {name: value.squeeze(0) for name, value in outputs.items()}, state


class FlattensMembers(TorchBucket):
    """Folds two leading dims into one."""

    def sequence(self, state, inputs, times):
        outputs, state = super().sequence(state, inputs, times)
        fold = {name: value.flatten(1, 2) if value.dim() == 4 else value for name, value in outputs.items()}
        return fold, state


class ClampsInPlace(TorchBucket):
    """Changes the rain that it was given."""

    def step(self, state, inputs, time):
        inputs["precipitation"].clamp_(max=5.0)
        return super().step(state, inputs, time)


class PopsInputs(TorchBucket):
    """Takes an input out of the caller's dict, and puts it back last."""

    def sequence(self, state, inputs, times):
        inputs["precipitation"] = inputs.pop("precipitation")
        return super().sequence(state, inputs, times)


class ClampsState(TorchBucket):
    """Changes the state that it was given."""

    def step(self, state, inputs, time):
        state["storage"].clamp_(max=49.0)
        return super().step(state, inputs, time)


class Remembers(Rained):
    """Counts its calls, and rains more."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def changed(self, rain, time):
        self.calls += 1
        return rain + 1e-3 * self.calls


class DrawsDropout(Rained):
    """Drops rain at random, in evaluation mode too."""

    def changed(self, rain, time):
        return nn.functional.dropout(rain, 0.5, training=True)


class DrawsItsOwnWeights(Rained):
    """Draws a weight from a stream that no seed reaches."""

    def __init__(self):
        super().__init__()
        self.share = 0.5 + int.from_bytes(os.urandom(4)) / 2**33

    def changed(self, rain, time):
        return rain * self.share


class SharesMemory(Rained):
    """Keeps the rain of the last call in its class, for all instances."""

    last = None

    def changed(self, rain, time):
        before = SharesMemory.last
        SharesMemory.last = rain
        return rain if before is None or before.shape != rain.shape else 0.5 * (rain + before)


class CachesByTime(Rained):
    """Takes the same date for the same rain."""

    def __init__(self):
        super().__init__()
        self.cache = {}

    def changed(self, rain, time):
        return self.cache.setdefault((time, rain.shape), rain.clone())


class KeepsStatistics(Rained):
    """Counts in a buffer that changes nothing."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def changed(self, rain, time):
        self.seen += 1
        return rain


class ReadsTheDate(Rained):
    """Rains less in winter."""

    def changed(self, rain, time):
        return rain * (0.8 if time.month in (12, 1, 2) else 1.0)


class SwitchesToTraining(Rained):
    """Calls train() in step."""

    def changed(self, rain, time):
        self.train()
        return rain


class OtherSequence(TorchBucket):
    """Has another formula for sequences."""

    def sequence(self, state, inputs, times):
        outputs, state = super().sequence(state, inputs, times)
        return outputs | {"runoff": outputs["runoff"] * (1.0 + 1e-6)}, state


class LooksAhead(TorchBucket):
    """Smooths rain with the next day's."""

    def sequence(self, state, inputs, times):
        rain = inputs["precipitation"]
        rain = 0.9 * rain + 0.1 * torch.cat([rain[1:], rain[-1:]])
        return super().sequence(state, inputs | {"precipitation": rain}, times)


class StepsOnNothing(TorchBucket):
    """Changes the state where there is no step."""

    def sequence(self, state, inputs, times):
        if len(times):
            return super().sequence(state, inputs, times)
        empty = inputs["precipitation"]
        return {"storage": empty, "runoff": empty}, {"storage": state["storage"] + 1.0}


class AveragesMembers(Rained):
    """Rains on each member a little of the mean over members."""

    def changed(self, rain, time):
        return rain if rain.dim() < 2 else 0.9 * rain + 0.1 * rain.mean(0, keepdim=True)


class CountsMembers(Rained):
    """Rains more on later members."""

    def changed(self, rain, time):
        return rain * (1.0 + 0.01 * torch.arange(len(rain)).reshape(-1, 1)) if rain.dim() == 2 else rain


class NextCell(Rained):
    """Takes a share of the rain of the cell before."""

    def changed(self, rain, time):
        return 0.9 * rain + 0.1 * rain.roll(1, -1)


class WeighsCells(Rained):
    """Rains more on cells with higher numbers."""

    def changed(self, rain, time):
        return rain * (1.0 + 0.1 * torch.arange(rain.shape[-1]).to(rain))


class OneStart(TorchBucket):
    """Gives the same tensor to every run."""

    def __init__(self):
        super().__init__()
        self.start = {}

    def initial_state(self, sizes):
        key = (sizes.shape(STORAGE), sizes.dtype)
        return {"storage": self.start.setdefault(key, sizes.full(STORAGE, 50.0))}


class StartsBelow(TorchBucket):
    """Starts below its bounds."""

    def initial_state(self, sizes):
        return {"storage": sizes.full(STORAGE, -250.0)}


class Shadow(TorchBucket):
    """Keeps more than the state: a flux that it uses where the state is the tensor that it returned last."""

    def __init__(self):
        super().__init__()
        self.last, self.extra = None, None

    def step(self, state, inputs, time):
        extra = self.extra if state["storage"] is self.last else 0.0
        rain = inputs["precipitation"]
        outputs, after = super().step(state, inputs | {"precipitation": rain + extra}, time)
        self.last, self.extra = after["storage"], 0.1 * rain
        return outputs, after


class ForgetsTheCut(TorchBucket):
    """Smooths rain inside a sequence, and starts anew at each."""

    def sequence(self, state, inputs, times):
        rain = inputs["precipitation"]
        smooth = 0.9 * rain + 0.1 * torch.cat([rain[:1], rain[:-1]])
        return super().sequence(state, inputs | {"precipitation": smooth}, times)


class PrintsAnAddress(TorchBucket):
    """Has another text for every instance."""

    numbers = itertools.count()

    def __init__(self):
        super().__init__()
        self.number = next(self.numbers)

    def extra_repr(self):
        return f"number {self.number}"


EXPECTED = {
    StartsWithoutMembers: {"shapes.initial-state"},
    StartsInFloat32: {"shapes.state-kind"},
    ExtraInStep: {"shapes.step", "shapes.leading-dims"},
    LosesTheTimeAxis: {"shapes.sequence"},
    FlattensMembers: {"shapes.leading-dims"},
    ClampsInPlace: {"purity.inputs-untouched"},
    PopsInputs: {"purity.inputs-untouched"},
    ClampsState: {"purity.state-untouched"},
    Remembers: {"purity.repeatable", "purity.any-order"},
    DrawsDropout: {f"purity.{name}" for name in ("repeatable", "deterministic", "interleaved", "any-order")}
    | {"citizen.random-streams"},
    DrawsItsOwnWeights: {"purity.deterministic", "purity.interleaved", "purity.any-order"},
    SharesMemory: {"purity.repeatable", "purity.interleaved", "purity.any-order"},
    CachesByTime: {"purity.any-order"},
    KeepsStatistics: {"purity.weights-unchanged"},
    ReadsTheDate: {"purity.time-blind"},
    SwitchesToTraining: {"purity.mode-kept"},
    OtherSequence: {"sequence.step-by-step"},
    LooksAhead: {"sequence.step-by-step", "sequence.causal", "state.restart-anywhere"},
    StepsOnNothing: {"sequence.zero-length"},
    AveragesMembers: {"invariance.members", "invariance.batches"},
    CountsMembers: {"invariance.members", "invariance.batch-order", "invariance.batches"},
    NextCell: {f"invariance.{name}" for name in ("cell-order", "cells", "columns")}
    | {"numerics.nan-contained", "numerics.inf-contained"},
    WeighsCells: {"invariance.cell-order", "invariance.cells"},
    OneStart: {"state.initial-fresh"},
    StartsBelow: {"state.initial-finite", "numerics.bounds"},
    Shadow: {"state.restart-bitwise"},
    ForgetsTheCut: {"sequence.step-by-step", "state.restart-anywhere"},
    PrintsAnAddress: {"state.identity"},
}


@pytest.mark.parametrize("component", EXPECTED, ids=lambda kind: kind.__name__)
def test_a_wrong_run_is_told_by_its_own_checks(component, broken_rules):
    failed, _ = broken_rules(component)
    assert failed == EXPECTED[component]


def test_columns_that_are_told_to_depend_on_each_other_may(broken_rules):
    assert broken_rules(NextCell, independent_columns=False)[0] == set()
