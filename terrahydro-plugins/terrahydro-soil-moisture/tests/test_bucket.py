"""SoilBucket: the water balance, the ports that the LSTM shares, and what is hidden from nobody."""

import copy

import pytest
import torch
from terrahydro_soil_moisture import SoilBucket, SoilLSTM

from crest_core import FieldError, Graph, Sizes, registry
from crest_core.provenance import graph_hash

DEPTH = torch.tensor([175.0, 150.0, 275.0], dtype=torch.float64)  # kg m-2


def rain_and_demand(days, cells, seed=5):
    random = torch.Generator().manual_seed(seed)
    draw = torch.rand(2, days, cells, generator=random, dtype=torch.float64)
    rain = (draw[0] < 0.4) * -9.0 * torch.log1p(-draw[1])
    demand = 4.0 * torch.rand(days, cells, generator=random, dtype=torch.float64) - 0.2
    return {"precipitation_flux": rain, "water_evapotranspiration_flux": demand}


def storage(state):
    return (DEPTH[:, None] * state["soil_moisture"]).sum(-2) + state["groundwater"]


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_the_water_balance_closes_to_1e_9_mm_a_day(isolation):
    bucket, forcing = SoilBucket(isolation=isolation), rain_and_demand(100, 7)
    state = bucket.initial_state(Sizes({"cell": 7}))
    with torch.no_grad():
        for day in range(100):
            inputs = {name: series[day] for name, series in forcing.items()}
            outputs, after = bucket.step(state, inputs, day)
            gain = inputs["precipitation_flux"] - outputs["evapotranspiration"]
            gain = gain - outputs["surface_runoff"] - outputs["subsurface_runoff"]
            assert float((storage(after) - storage(state) - gain).abs().max()) < 1e-9
            state = after


def test_child_process_and_this_process_give_the_same_bits():
    forcing, results = rain_and_demand(20, 3), []
    for isolation in ("process", "none"):
        bucket = SoilBucket(isolation=isolation)
        state = bucket.initial_state(Sizes({"cell": 3}))
        with torch.no_grad():
            results.append(bucket(state, forcing, range(20))[0])
    for name, values in results[0].items():
        assert torch.equal(values, results[1][name])


def test_bucket_and_lstm_have_the_same_ports():
    bucket, lstm = SoilBucket(isolation="none"), SoilLSTM(generator=torch.Generator().manual_seed(1))
    assert [s.name for s in bucket.inputs] == [s.name for s in lstm.inputs]
    assert [s.quantity for s in bucket.inputs] == [s.quantity for s in lstm.inputs]
    outputs = {s.name: s for s in bucket.outputs}
    for spec in lstm.outputs:
        assert outputs[spec.name].quantity == spec.quantity
        assert (outputs[spec.name].units, outputs[spec.name].dims) == (spec.units, spec.dims)
    assert bucket.dim_sizes["soil_layer"] == lstm.dim_sizes["soil_layer"]
    assert bucket.layers == lstm.layers == {"soil_layer": ((0.0, 0.175), (0.175, 0.325), (0.325, 0.6))}


def test_dry_soil_gives_less_than_demanded_and_says_how_much():
    bucket = SoilBucket(initial_soil_moisture=0.12, initial_groundwater=1.0)
    state = bucket.initial_state(Sizes({"cell": 1}))
    inputs = {"precipitation_flux": torch.zeros(1), "water_evapotranspiration_flux": torch.full((1,), 5.0)}
    with torch.no_grad():
        for day in range(30):
            outputs, state = bucket.step(state, inputs, day)
    given, missing = outputs["evapotranspiration"], outputs["evapotranspiration_deficit"]
    assert float(given) < 1.0
    assert float(given + missing) == pytest.approx(5.0, abs=1e-5)


def test_parameters_are_trained_within_their_bounds():
    bucket = SoilBucket(isolation="none", parameters={"runoff_exponent": 2.0})
    optimiser = torch.optim.SGD(bucket.parameters(), lr=1e4)
    forcing, state = rain_and_demand(10, 2), bucket.initial_state(Sizes({"cell": 2}))
    outputs, _ = bucket(state, forcing, range(10))
    outputs["root_zone_soil_moisture"].sum().backward()
    before = {name: value.detach().clone() for name, value in bucket.physical.values().items()}
    optimiser.step()
    for spec in bucket.parameter_specs:
        value = bucket.physical.values()[spec.name].detach()
        assert not torch.equal(value, before[spec.name])
        assert (value >= spec.bounds[0]).all() and (value <= spec.bounds[1]).all()


def test_a_copy_has_parameters_and_a_process_of_its_own():
    bucket = SoilBucket()
    twin = copy.deepcopy(bucket)
    state = bucket.initial_state(Sizes({"cell": 1}))
    inputs = {name: series[0] for name, series in rain_and_demand(1, 1).items()}
    first, second = bucket.step(state, inputs, 0)[0], twin.step(state, inputs, 0)[0]
    assert torch.equal(first["soil_moisture"], second["soil_moisture"])
    assert bucket.library.child.pid != twin.library.child.pid


def test_another_initial_state_is_another_graph():
    def identity(**settings):
        return graph_hash(Graph({"soil": SoilBucket(isolation="none", **settings)}))

    assert identity() == identity() != identity(initial_groundwater=151.0)


def test_the_registry_finds_the_bucket():
    assert registry().load("components", "soil-bucket") is SoilBucket


def test_a_start_in_percent_or_below_zero_is_refused():
    with pytest.raises(FieldError, match=r"soil_moisture \[1\] starts at \[25.0, 25.0, 25.0\].*look at the units"):
        SoilBucket(initial_soil_moisture=25.0)
    with pytest.raises(FieldError, match=r"groundwater \[kg m-2\] starts at -50.0"):
        SoilBucket(initial_groundwater=-50.0)
