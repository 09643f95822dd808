"""Torch components in graphs: a feedback loop with a bucket, restarts, windows, gradients through all of it."""

import random

import pytest
import torch
from crest_torch import TorchComponent, lstm_component
from torch import nn

from crest_core import Connection, FieldSpec, Graph, SafetensorsStore, Sizes, Standardize, TensorMap, simulate
from crest_core.testing import Stress, TorchBucket, dot_product_error, relative_difference, taylor_orders, weather

POTENTIAL, STORAGE = Stress.inputs
(EVAPORATION,) = Stress.outputs
RAIN, RUNOFF = TorchBucket.inputs[0], TorchBucket.outputs[1]
WATER = FieldSpec(name="water", units="mm day-1")
SCALE = Standardize(
    mean={
        "potential_evaporation": 2.0,
        "storage": 50.0,
        "evapotranspiration": 1.0,
        "precipitation": 2.0,
        "runoff": 1.0,
    },
    std={"potential_evaporation": 1.0, "storage": 20.0, "evapotranspiration": 0.5, "precipitation": 5.0, "runoff": 1.0},
)
LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def columns():
    """Evaporation by a network that looks at one column and step."""
    return TorchComponent(
        nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)),
        inputs=(POTENTIAL, STORAGE),
        outputs=(EVAPORATION,),
        input_maps=(TensorMap("input", ("potential_evaporation", "storage"), scale=SCALE),),
        output_maps=(TensorMap("y", ("evapotranspiration",), scale=SCALE),),
    )


def remembering():
    """Evaporation by an LSTM, its state in the loop."""
    return lstm_component(inputs=(POTENTIAL, STORAGE), outputs=(EVAPORATION,), scale=SCALE, hidden=4)


def windowed():
    """Runoff from ten days of rain, outside of the loop."""
    rain = FieldSpec(name="precipitation", units=RAIN.units, standard_name=RAIN.standard_name, window=10)
    return TorchComponent(
        nn.Sequential(nn.Flatten(-2), nn.Linear(10, 1)),
        inputs=(rain,),
        outputs=(WATER,),
        input_maps=(TensorMap("input", ("precipitation",), "time window ... -> time ... window field", SCALE),),
        output_maps=(TensorMap("y", ("water",), "time ... -> time ... field"),),
    )


PLANTS = pytest.mark.parametrize("plant", [columns, remembering], ids=lambda build: build.__name__)


def loop(plant):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return Graph({"plant": plant(), "soil": TorchBucket(), "gauge": windowed()}, [LAG]).double()


def drive(graph, days, cells=2):
    """Return a primed state and the forcing of some days."""
    data = weather(days + 9, cells, seed=8)
    values = {name: torch.from_numpy(data[name].values) for name in ("precipitation", "potential_evaporation")}
    state = graph.initial_state(Sizes({"cell": cells}, dtype=torch.float64))
    state = graph.prime(state, {name: value[:9] for name, value in values.items()})
    return state, {name: value[9:] for name, value in values.items()}


@PLANTS
def test_the_loop_gives_the_same_as_a_sequence_and_as_steps(plant):
    graph = loop(plant)
    state, inputs = drive(graph, 60)
    whole, _ = graph(state, inputs, range(60))
    for t in range(60):
        outputs, state = graph.step(state, {name: value[t] for name, value in inputs.items()}, t)
        for name, value in outputs.items():
            assert relative_difference(value, whole[name][t]) <= 1e-12


@PLANTS
def test_a_simulation_resumed_at_any_day_is_bit_identical(plant, tmp_path):
    graph, data = loop(plant), weather(50, 2, seed=3)
    run = {"window": "1D", "dtype": torch.float64, "progress": False}
    straight = simulate(graph, data, **run)
    for days in sorted(random.Random(6).sample(range(12, 48), 5)):
        store = SafetensorsStore(tmp_path / f"{days}.safetensors")
        simulate(graph, data, end=data.time.values[days], store=store, **run)
        rest = simulate(graph, data, resume=store, **run)
        assert rest.sizes["time"] == 50 - days
        for name in ("storage", "evapotranspiration", "water"):
            assert (rest[name].values == straight[name].sel(time=rest.time).values).all()


@PLANTS
def test_the_adjoint_of_the_loop_is_the_transpose_of_its_tangent(plant):
    graph = loop(plant)
    state, inputs = drive(graph, 20)

    def run(rain, potential):
        fields = {"precipitation": rain, "potential_evaporation": potential}
        outputs, last = graph(state, fields, range(20))
        return [*outputs.values(), *last.values()]

    arguments = [inputs["precipitation"], inputs["potential_evaporation"]]
    assert dot_product_error(run, arguments, torch.Generator().manual_seed(2)) < 1e-12


@PLANTS
def test_the_gradient_of_the_loop_passes_the_taylor_test(plant):
    graph = loop(plant)
    state, inputs = drive(graph, 20)

    def loss(potential):
        outputs, _ = graph(state, inputs | {"potential_evaporation": potential}, range(20))
        return (outputs["storage"] ** 2).mean()

    direction = torch.randn((20, 2), generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    orders = taylor_orders(loss, inputs["potential_evaporation"], direction, [1e-1, 3e-2, 1e-2])
    assert all(1.9 < order < 2.1 for order in orders)


@PLANTS
def test_weights_learn_through_the_loop(plant):
    """A network in the loop comes close to the storage that the Stress model gives."""
    graph, truth = loop(plant).double(), Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG]).double()
    state, inputs = drive(graph, 40)
    goal, _ = truth(truth.initial_state(Sizes({"cell": 2}, dtype=torch.float64)), inputs, range(40))
    optimiser = torch.optim.Adam(graph.components["plant"].parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        outputs, _ = graph(state, inputs, range(40))
        loss = ((outputs["storage"] - goal["storage"].detach()) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


def test_gradients_through_a_torch_component_are_exact():
    report = loop(columns).gradient_report()
    assert report.status("plant parameters", "storage") == "exact"


def test_two_lstms_of_different_size_share_a_graph_by_their_prefixes():
    small = lstm_component(inputs=(POTENTIAL, STORAGE), outputs=(EVAPORATION,), scale=SCALE, hidden=3, prefix="leaf_")
    large = lstm_component(inputs=(RAIN,), outputs=(RUNOFF,), scale=SCALE, hidden=5, prefix="river_")
    sizes = Graph({"small": small, "large": large}).dim_sizes
    assert sizes == {"leaf_layer": 1, "leaf_hidden": 3, "river_layer": 1, "river_hidden": 5}


def test_a_module_that_estimates_its_gradients_says_so_in_the_report():
    """Such as a network that another library runs."""
    plant = TorchComponent(
        nn.Linear(2, 1),
        inputs=(POTENTIAL, STORAGE),
        outputs=(EVAPORATION,),
        input_maps=(TensorMap("input", ("potential_evaporation", "storage")),),
        output_maps=(TensorMap("y", ("evapotranspiration",)),),
        gradient_policy="finite_difference",
    )
    report = Graph({"plant": plant, "soil": TorchBucket()}, [LAG]).gradient_report()
    assert report.policies["plant"] == "finite_difference"
    assert report.status("forcing.potential_evaporation", "storage") == "estimated"
