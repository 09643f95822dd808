"""Training in mini-batches: known parameters come back, parts stay, nothing depends on how it is cut."""

import csv
import math

import pytest
import torch
from crest_training import Objective, Optimiser, Schedule, train
from crest_training.example import RAIN, Network, Reservoir, RiverLoader, example_batches, example_flow, example_rain
from crest_training.losses import Standardised, mae, mse, nse

from crest_core import ComponentError, FieldSpec, ForcingError, GradientError, Graph, StepComponent, StoreError

FAST = Optimiser(physical_rate=0.1, network_rate=0.01, clip=5.0)
FLOWS = [Objective("flow")]


class Melt(StepComponent):
    """Rain of the river below from precipitation above, times a factor."""

    inputs = (FieldSpec(name="precipitation", units="mm day-1", standard_name="precipitation_flux"),)
    outputs = (RAIN,)

    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def step(self, state, inputs, time):
        return {"rain": self.factor * inputs["precipitation"]}, {}


def river(rate=0.6, factor=1.0):
    return Graph({"melt": Melt(factor), "river": Reservoir(rate)})


def precipitation():
    values = example_rain()
    return RiverLoader({"precipitation": values}, {"flow": example_flow(values)[10:]}, 4, seed=1)


def batches(**options):
    return example_batches(**{"seed": 1, **options})


def losses_of(**options):
    model = Network(seed=5)
    return train(model, batches(), FLOWS, epochs=2, optimiser=FAST, **options).batches


def test_a_known_parameter_comes_back():
    model = Reservoir(0.6)
    record = train(model, batches(), FLOWS, epochs=25, optimiser=FAST)
    assert model.rate == pytest.approx(0.25, abs=0.01)
    assert len(record.training) == 25 and len(record.batches) == 75
    assert record.training[-1] < 1e-2 * record.training[0]


def test_a_coupled_graph_is_trained_end_to_end():
    graph = river(factor=0.5)
    record = train(graph, precipitation(), FLOWS, epochs=30, optimiser=FAST)
    assert record.training[-1] < 0.2 * record.training[0]


def test_what_is_frozen_stays_and_asks_for_gradients_again_afterwards():
    graph = river()
    train(graph, precipitation(), FLOWS, epochs=2, optimiser=FAST, frozen=["melt"])
    assert float(graph.components["melt"].factor.detach()) == 1.0
    assert all(parameter.requires_grad for parameter in graph.parameters())
    assert graph.components["river"].rate != pytest.approx(0.6)


def test_an_unknown_name_to_freeze_is_an_error():
    with pytest.raises(ComponentError, match=r"frozen names \['snow'\].* it has melt, river"):
        train(river(), precipitation(), FLOWS, epochs=1, frozen=["snow"])


def test_a_segment_as_long_as_the_window_changes_nothing():
    assert losses_of(segment=40) == pytest.approx(losses_of(), rel=1e-6)


def test_segments_carry_the_state_and_stop_the_gradient():
    """The loss before the first step is the same, however the window is cut; the parameters after it are not."""
    whole, cut = losses_of(), losses_of(segment=7)
    assert cut[0] == pytest.approx(whole[0], rel=1e-5)
    assert cut[1] != pytest.approx(whole[1], rel=1e-5)


def test_gaps_make_the_loss_of_the_rest():
    loader = batches(batch=12, shuffled=False)
    loader.targets["flow"][5:15] = math.nan
    model = Reservoir(0.6)
    with torch.no_grad():
        batch = loader.at(torch.arange(12)).on_cells()
        simulated = model({"storage": torch.zeros(12, 1)}, batch.inputs, range(40))[0]["flow"][10:]
    error = (simulated - batch.targets["flow"])[[*range(5), *range(15, 30)]]
    record = train(model, loader, FLOWS, epochs=1)
    assert record.batches[0] == pytest.approx(float((error**2).mean()), rel=1e-5)


def test_weights_and_spaces_of_objectives_count():
    loader = batches(batch=12, shuffled=False)
    objectives = [
        Objective("flow", mae, weight=3.0),
        Objective("flow", mse, transform=Standardised(1.0, 2.0)),
    ]
    both = train(Reservoir(0.6), loader, objectives, epochs=1).batches[0]
    alone = [train(Reservoir(0.6), batches(batch=12), [one], epochs=1).batches[0] for one in objectives]
    assert both == pytest.approx((3 * alone[0] + alone[1]) / 4, rel=1e-5)


def test_the_scale_of_a_place_reaches_its_samples():
    scale = torch.arange(1.0, 13.0)
    loader = batches(batch=12, shuffled=True)
    found = train(Reservoir(0.6), loader, [Objective("flow", nse, scale=scale)], epochs=1).batches[0]
    values = example_rain()
    error = (example_flow(values, 0.6) - example_flow(values))[10:]
    assert found == pytest.approx(float(((error / (scale + 0.1)) ** 2).mean()), rel=1e-5)


def test_validation_keeps_the_best_epoch_and_stops_early():
    model = Network(seed=1)
    loader = batches()
    wild = Optimiser(network_rate=0.5, clip=None)
    ahead = batches(seed=2, shuffled=False)
    record = train(model, loader, FLOWS, epochs=50, optimiser=wild, validation=ahead, patience=3)
    assert len(record.training) == record.best_epoch + 3 < 50
    again = train(model, loader, FLOWS, epochs=1, optimiser=Optimiser(network_rate=1e-12), validation=ahead)
    assert again.validation[0] == pytest.approx(min(record.validation), rel=1e-4)


def test_one_seed_gives_one_curve_and_leaves_torchs_own_numbers_alone():
    def curve(seed):
        return train(Network(dropout=0.5, seed=1), batches(), FLOWS, epochs=1, seed=seed).batches

    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = curve(1)
    assert torch.equal(before, torch.get_rng_state())
    assert first == curve(1) and first != curve(2)


def test_bf16_is_used_where_it_is_accurate_and_says_so():
    record = train(Network(seed=1), batches(), FLOWS, epochs=2, optimiser=FAST, precision="bf16")
    assert record.notes[0].endswith("used") and "cosine of the gradients is" in record.notes[0]
    assert record.batches == pytest.approx(losses_of_network(), rel=0.05)


def losses_of_network():
    return train(Network(seed=1), batches(), FLOWS, epochs=2, optimiser=FAST).batches


def test_bf16_is_left_where_it_is_not_accurate_and_tried_again():
    """Flow of 1000 + small differences has no differences left in 8 bits."""
    loader = batches(batch=2)
    loader.targets["flow"] = 1000 + loader.targets["flow"]
    model = Network(seed=1)
    with torch.no_grad():
        model.head.bias.fill_(1001.0)
    still = Optimiser(network_rate=1e-9)
    record = train(model, loader, FLOWS, epochs=4, optimiser=still, precision="bf16")
    assert [note.partition(":")[0] for note in record.notes] == ["bf16 at batch 1", "bf16 at batch 21"]
    assert record.notes[0].endswith(": not used, tried again at batch 21")


def test_component_trained_alone_on_observed_inputs_is_the_one_in_the_graph():
    """Teacher forcing: the river learns from observed rain, then the graph is tuned from there."""
    graph = river(factor=1.3)
    train(graph.components["river"], batches(), FLOWS, epochs=25, optimiser=FAST)
    assert graph.components["river"].rate == pytest.approx(0.25, abs=0.01)
    record = train(graph, precipitation(), FLOWS, epochs=15, optimiser=FAST)
    assert float(graph.components["melt"].factor.detach()) == pytest.approx(1.0, abs=0.05)
    assert record.training[-1] < record.training[0]


def test_losses_are_written_as_a_table(tmp_path):
    record = train(Reservoir(0.6), batches(), FLOWS, epochs=3, folder=tmp_path, optimiser=FAST)
    with open(tmp_path / "losses.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["training_loss"]) for row in rows] == list(record.training)
    assert rows[0]["validation_loss"] == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs 0 and validate_every 1 must be 1 or more"),
        ({"epochs": 1, "segment": 0}, "segment 0, expected 1 or more steps"),
        ({"epochs": 1, "events": True}, "event files need a folder"),
    ],
)
def test_options_that_make_no_sense_are_told(options, words):
    with pytest.raises((ForcingError, StoreError), match=words):
        train(Reservoir(0.6), batches(), FLOWS, **options)


def test_batches_that_lack_an_input_are_told():
    with pytest.raises(ForcingError, match="the batches lack precipitation; they have the inputs rain and the targets"):
        train(river(), batches(), FLOWS, epochs=1)


def test_an_objective_of_an_unknown_output_is_told():
    with pytest.raises(ForcingError, match="objective swe: the model has no output swe; outputs: flow"):
        train(Reservoir(0.6), batches(), [Objective("swe")], epochs=1)
    with pytest.raises(ForcingError, match="there is no objective; give at least one"):
        train(Reservoir(0.6), batches(), [], epochs=1)


def test_an_objective_that_weighs_nothing_is_told():
    with pytest.raises(ForcingError, match="weight 0.0, expected a finite number above 0"):
        Objective("flow", weight=0.0)


def test_nan_in_the_forcing_is_told_with_epoch_and_batch():
    loader = batches()
    loader.inputs["rain"][3] = math.nan
    with pytest.raises(GradientError, match="the loss of batch 1 in epoch 1 is nan"):
        train(Reservoir(0.6), loader, FLOWS, epochs=1)


def test_validation_without_observations_is_told():
    ahead = batches()
    ahead.targets["flow"][:] = math.nan
    with pytest.raises(ForcingError, match="nothing of flow is observed in the validation batches"):
        train(Reservoir(0.6), batches(), FLOWS, epochs=1, validation=ahead)


def test_schedules_have_known_values():
    assert Schedule("cosine", final=0.0).at_epoch(5, 10) == pytest.approx(0.5)
    assert Schedule("step", at=(3, 6)).at_epoch(6, 10) == pytest.approx(0.01)
    assert Schedule("one-cycle", rise=0.3).at_epoch(3, 10) == pytest.approx(1.0)
    assert Schedule("one-cycle", final=0.0).at_epoch(10, 10) == pytest.approx(0.0, abs=1e-12)
    assert Schedule(warm_up=2).at_epoch(1, 10) == pytest.approx(0.505)
    with pytest.raises(GradientError, match="`at` for step alone"):
        Schedule("constant", at=(1,))


def test_an_optimiser_that_makes_no_sense_is_told():
    with pytest.raises(GradientError, match="weight_decay of 0 or more with adamw alone"):
        Optimiser("adam", weight_decay=0.1)


def test_decay_pulls_network_weights_and_leaves_physical_parameters():
    loader = batches()
    loader.targets["flow"][:, :] = math.nan  # no gradient at all: decay alone moves weights
    network, river_ = Network(seed=1), Reservoir(0.6)
    before = network.head.weight.detach().clone()
    decaying = Optimiser("adamw", network_rate=0.1, weight_decay=0.5)
    train(network, loader, FLOWS, epochs=1, optimiser=decaying)
    train(river_, loader, FLOWS, epochs=1, optimiser=decaying)
    assert network.head.weight.detach().abs().sum() <= before.abs().sum()
    assert river_.rate == pytest.approx(0.6)
