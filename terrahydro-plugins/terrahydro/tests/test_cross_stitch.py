"""CrossStitch: what is joined, and what is not."""

import pytest
import torch
from terrahydro import CrossStitch

from crest_core import FieldError, Sizes

TASKS = ("root_zone_soil_moisture", "evapotranspiration", "net_ecosystem_exchange")


def made(**settings) -> CrossStitch:
    return CrossStitch(hidden=5, generator=torch.Generator().manual_seed(2), **settings).double().eval()


def weather(net: CrossStitch, days: int = 20) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    return {spec.name: torch.randn(days, 3, generator=draw, dtype=torch.float64) for spec in net.inputs}


def run(net: CrossStitch, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state = net.initial_state(Sizes({"cell": 3}, dtype=torch.float64))
    return net(state, inputs, range(len(next(iter(inputs.values())))))[0]


def slope(net: CrossStitch, task: str, other: int) -> float:
    """Return how much the answer of a task depends on the input weights of another."""
    run(net, weather(net))[task].sum().backward()
    return float(net.weight_in.grad[other].abs().sum())


@pytest.mark.parametrize("task", range(3))
def test_every_task_sees_the_hidden_states_of_the_others(task):
    for other in range(3):
        assert slope(made(), TASKS[task], other) > 0.0


def test_unstitched_the_tasks_know_nothing_of_each_other():
    assert slope(made(stitched=False), TASKS[0], 1) == 0.0
    assert slope(made(stitched=False), TASKS[0], 0) > 0.0


def test_unstitched_it_is_the_lstm_of_torch():
    net = made(stitched=False)
    inputs = weather(net)
    lstm = torch.nn.LSTM(len(net.inputs), 5).double()
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(net.weight_in[1].T)
        lstm.weight_hh_l0.copy_(net.weight_hidden[1].T)
        lstm.bias_ih_l0.copy_(net.bias[1, 0])
        lstm.bias_hh_l0.zero_()
        hidden, _ = lstm(torch.stack([inputs[spec.name] for spec in net.inputs], dim=-1))
        expected = (hidden @ net.head[1]).squeeze(-1) + net.head_bias[1, 0, 0]
        torch.testing.assert_close(run(net, inputs)[TASKS[1]], expected)


def test_soil_moisture_stays_in_its_range_and_scaling_brings_fluxes_to_theirs():
    net = made()
    net.standardise(
        {"evapotranspiration": 2.0, "air_temperature": 10.0}, {"evapotranspiration": 0.1, "air_temperature": 8.0}
    )
    with torch.no_grad():
        outputs = run(net, {name: 100.0 * value for name, value in weather(net).items()})
    assert float(outputs[TASKS[0]].min()) >= 0.0 and float(outputs[TASKS[0]].max()) <= 0.7
    assert float((outputs[TASKS[1]] - 2.0).abs().max()) < 1.0


def test_the_scaling_travels_with_the_weights_and_leaves_soil_moisture_alone():
    one, other = made(), made()
    one.standardise({"wind_speed": 3.0, TASKS[0]: 0.3}, {"wind_speed": 2.0, TASKS[0]: 0.1})
    other.load_state_dict(one.state_dict())
    inputs = weather(one)
    with torch.no_grad():
        assert torch.equal(run(one, inputs)[TASKS[0]], run(other, inputs)[TASKS[0]])
        shifted = inputs | {"wind_speed": 3.0 + 2.0 * inputs["wind_speed"]}
        torch.testing.assert_close(run(one, shifted)[TASKS[0]], run(made(), inputs)[TASKS[0]])


def test_mistakes_are_refused_in_words():
    for names in (["rain"], [], ["wind_speed", "wind_speed"]):
        with pytest.raises(FieldError, match=r"cross-stitch: forcing \[.*\]; expected one or more distinct names of"):
            CrossStitch(forcing=names)
    with pytest.raises(FieldError, match="cross-stitch: hidden 0; expected a whole number of units, 1 or more"):
        CrossStitch(hidden=0)
    with pytest.raises(FieldError, match="cross-stitch: dropout nan; expected a share"):
        CrossStitch(dropout=float("nan"))
    for mean, std in ((1.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(FieldError, match=r"a positive std .* not positive or not finite: \['wind_speed'\]"):
            made().standardise({"wind_speed": mean}, {"wind_speed": std})
