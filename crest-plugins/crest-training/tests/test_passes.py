"""Passes: windows of inputs are filled from the first steps, heads are scored, and what does not fit is told."""

import math

import pytest
import torch
from crest_training import Objective, Optimiser, train
from crest_training.batch import batches_of
from crest_training.checkpoint import FILE
from crest_training.example import FLOW, RAIN, Network, Reservoir, RiverLoader, example_batches, example_rain
from crest_training.losses import LIKELIHOODS, Standardised, gaussian_mixture
from scipy.optimize import brentq
from torch import nn

from crest_core import FieldSpec, ForcingError, GradientError, Graph, SafetensorsStore, StepComponent, StoreError

RATES = Optimiser(network_rate=1e-3)


class Mean(StepComponent):
    """The mean of the last three days of rain, times a factor."""

    inputs = (FieldSpec(name="rain", units="mm day-1", standard_name="rainfall_flux", window=3),)
    outputs = (FLOW,)

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.5))

    def step(self, state, inputs, time):
        return {"flow": self.factor * inputs["rain"].mean(0)}, {}


class Head(StepComponent):
    """Two normal distributions from the rain of a day."""

    inputs = (RAIN,)
    outputs = tuple(
        FieldSpec(name=f"flow_{part}", units=units, dims=("mixture", "cell"))
        for part, units in (("location", "mm day-1"), ("scale", "mm day-1"), ("weight", "1"))
    )

    def __init__(self):
        super().__init__()
        self.dim_sizes = {"mixture": 2}
        self.place = nn.Parameter(torch.tensor([[0.0], [1.0]]))

    def step(self, state, inputs, time):
        location = inputs["rain"].unsqueeze(-2) * 0.1 + self.place
        scale, weight = torch.full_like(location, 2.0), torch.full_like(location, 0.5)
        return {"flow_location": location, "flow_scale": scale, "flow_weight": weight}, {}


def loader(steps=38):
    rain = example_rain()
    return RiverLoader({"rain": rain}, {"flow": torch.zeros(steps, 12)}, 12, 1, shuffled=False)


@pytest.mark.parametrize("segment", [None, 7])
def test_the_first_steps_fill_the_window_of_an_input(segment):
    record = train(Graph({"mean": Mean()}), loader(), [Objective("flow")], epochs=1, segment=segment)
    expected = ((0.5 * example_rain().unfold(0, 3, 1).mean(-1)) ** 2).mean()
    assert record.batches[0] == pytest.approx(float(expected), rel=1e-5)


def test_more_targets_than_steps_that_a_model_can_answer_are_told():
    with pytest.raises(ForcingError, match="the target flow has 40 steps, and the model answers 38: it looks back 2"):
        train(Graph({"mean": Mean()}), loader(40), [Objective("flow")], epochs=1)


def test_a_head_is_trained_by_its_likelihood():
    model = Head()
    batch = example_batches(seed=1, batch=12, shuffled=False)
    record = train(model, batch, [Objective("flow", LIKELIHOODS["gaussian-mixture"])], epochs=20, optimiser=RATES)
    rain = example_rain()[10:, :, None, None]
    location = rain * 0.1 + torch.tensor([[0.0], [1.0]])
    parts = location, torch.full_like(location, 2.0), torch.full_like(location, 0.5)
    expected = gaussian_mixture(*parts, batch.targets["flow"].unsqueeze(-1))
    assert record.batches[0] == pytest.approx(float(expected), rel=1e-5)
    assert record.training[-1] < record.training[0]


def test_a_likelihood_takes_no_space_of_its_own():
    with pytest.raises(ForcingError, match="a likelihood is in the units of the observations"):
        Objective("flow", LIKELIHOODS["cmal"], transform=Standardised(0.0, 1.0))


def test_an_input_of_other_dims_is_told():
    wrong = RiverLoader({"rain": torch.zeros(5, 2, 3, 4)}, {"flow": torch.zeros(5, 2, 3)}, 2, 1)
    with pytest.raises(ForcingError, match="the input rain has 4 dims, expected 3: time, sample, cell"):
        train(Reservoir(0.3), wrong, [Objective("flow")], epochs=1)


def test_a_loader_without_batches_is_told():
    empty = RiverLoader({"rain": torch.zeros(5, 0)}, {"flow": torch.zeros(5, 0)}, 2, 1)
    with pytest.raises(ForcingError, match="the loader gave no batch; look at its samples"):
        train(Reservoir(0.3), empty, [Objective("flow")], epochs=1)


def test_a_gradient_that_is_not_finite_is_told_with_its_parameter():
    class Steep(Network):
        def sequence(self, state, inputs, times):
            outputs, after = super().sequence(state, inputs, times)
            return {"flow": outputs["flow"] + (self.head.bias - self.head.bias.detach()).abs().sqrt()}, after

    with pytest.raises(GradientError, match="train: the gradient of head.bias is not finite in epoch 1"):
        train(Steep(seed=1), example_batches(seed=1), [Objective("flow")], epochs=1)


def test_a_restart_of_a_run_is_no_checkpoint(tmp_path):
    SafetensorsStore(tmp_path / FILE).save({"storage": torch.ones(1)}, {"time": "2001-01-01"})
    with pytest.raises(StoreError, match="is no checkpoint of a training: expected 'crest-training checkpoint 1'"):
        train(Reservoir(0.3), example_batches(seed=1), [Objective("flow")], epochs=1, folder=tmp_path, resume=True)


def test_a_loader_that_tells_no_length_changes_rates_by_epoch():
    class Endless(RiverLoader):
        __len__ = None

        def __iter__(self):
            yield self.at(torch.arange(2))

    rain = example_rain()
    untold = Endless({"rain": rain}, {"flow": rain}, 2, 1)
    assert batches_of(untold) is None
    assert len(train(Reservoir(0.3), untold, [Objective("flow")], epochs=2).batches) == 2


class Layer(Head):
    """One normal distribution around a linear layer of rain, with a scale that is given."""

    def __init__(self, scale):
        super().__init__()
        self.dim_sizes, self.scale = {"mixture": 1}, scale
        self.layer = nn.Linear(1, 1)
        with torch.no_grad():
            self.layer.weight.fill_(0.0123)
            self.layer.bias.fill_(0.0456)

    def step(self, state, inputs, time):
        location = self.layer(inputs["rain"].unsqueeze(-1)).movedim(-1, -2).to(inputs["rain"].dtype)
        scale, weight = torch.full_like(location, self.scale), torch.ones_like(location)
        return {"flow_location": location, "flow_scale": scale, "flow_weight": weight}, {}


def test_bf16_is_not_left_because_a_likelihood_is_near_zero():
    """A relative difference of a logarithm near 0 says nothing: it is compared in nats."""
    square = float(((0.0123 * example_rain() + 0.0456) ** 2).mean())
    scale = brentq(lambda s: math.log(s) + 0.5 * math.log(2 * math.pi) + square / (2 * s**2), square**0.5, 1.0)
    objective = Objective("flow", LIKELIHOODS["gaussian-mixture"])
    still = Optimiser(network_rate=1e-30)
    record = train(Layer(scale), loader(40), [objective], epochs=1, optimiser=still, precision="bf16")
    assert abs(record.batches[0]) < 1e-3 and record.notes[0].endswith("used") and "not used" not in record.notes[0]
