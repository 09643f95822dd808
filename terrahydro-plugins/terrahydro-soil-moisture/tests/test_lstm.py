"""Laws of the soil LSTM: one answer for steps and sequence, bounds, causality, ports."""

import pytest
import torch
from terrahydro_soil_moisture import SoilLSTM

from crest_core import Graph, Sizes
from crest_core.provenance import graph_hash
from crest_core.testing.laws import dot_product_error


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def weather(steps: int, *shape: int, seed: int = 2) -> dict[str, torch.Tensor]:
    draw = torch.rand(2, steps, *shape, generator=seeded(seed))
    return {
        "precipitation_flux": 40.0 * (draw[0] - 0.7).clamp(min=0.0),
        "water_evapotranspiration_flux": 5.0 * draw[1],
    }


def start(model: SoilLSTM, cells: int, *lead: int, dtype: torch.dtype = torch.float32) -> dict:
    return model.initial_state(Sizes({**model.dim_sizes, "cell": cells}, lead=lead, dtype=dtype))


@pytest.fixture
def model() -> SoilLSTM:
    return SoilLSTM(hidden=8, generator=seeded(1))


def test_steps_and_sequence_agree_to_1e_6_of_the_maximum(model):
    inputs, state = weather(60, 4), start(model, 4)
    whole, last = model.sequence(state, inputs, range(60))
    for i in range(60):
        now, state = model.step(state, {name: value[i] for name, value in inputs.items()}, i)
        for name, value in now.items():
            assert float((value - whole[name][i]).detach().abs().max()) < 1e-6 * 0.55
    for name in state:
        torch.testing.assert_close(state[name], last[name], rtol=0, atol=2e-6)


def test_two_halves_equal_the_whole(model):
    inputs, state = weather(50, 3), start(model, 3)
    whole, _ = model(state, inputs, range(50))
    first, middle = model(state, {k: v[:20] for k, v in inputs.items()}, range(20))
    second, _ = model(middle, {k: v[20:] for k, v in inputs.items()}, range(30))
    joined = torch.cat([first["soil_moisture"], second["soil_moisture"]])
    torch.testing.assert_close(joined, whole["soil_moisture"], rtol=0, atol=1e-6)


def test_it_is_causal(model):
    inputs, state = weather(30, 2), start(model, 2)
    before, _ = model(state, inputs, range(30))
    changed = {name: value.clone() for name, value in inputs.items()}
    changed["precipitation_flux"][20:] += 30.0
    after, _ = model(state, changed, range(30))
    assert torch.equal(before["soil_moisture"][:20], after["soil_moisture"][:20])
    assert not torch.equal(before["soil_moisture"][20:], after["soil_moisture"][20:])


def test_soil_moisture_stays_within_bounds_whatever_the_weather(model):
    inputs = {
        "precipitation_flux": torch.full((40, 2), 1e4),
        "water_evapotranspiration_flux": torch.full((40, 2), -1e4),
    }
    moisture = model(start(model, 2), inputs, range(40))[0]["soil_moisture"]
    assert float(moisture.detach().min()) >= 0.05 and float(moisture.detach().max()) <= 0.55


def test_root_zone_is_the_mean_over_thickness(model):
    outputs, _ = model(start(model, 2), weather(10, 2), range(10))
    layers = outputs["soil_moisture"]
    expected = (0.175 * layers[:, 0] + 0.15 * layers[:, 1] + 0.275 * layers[:, 2]) / 0.6
    torch.testing.assert_close(outputs["root_zone_soil_moisture"], expected)


def test_before_any_weather_the_head_answers_the_initial_soil_moisture(model):
    hidden = torch.zeros(1, 8)
    moisture = model._moisture(hidden)["soil_moisture"].detach().flatten().tolist()
    assert moisture == pytest.approx([0.25, 0.32, 0.34], abs=1e-6)


def test_leading_dims_pass_through(model):
    inputs = weather(12, 3)
    single, _ = model(start(model, 3), inputs, range(12))
    twice = {name: torch.stack([value, value], 1) for name, value in inputs.items()}
    double, state = model(start(model, 3, 2), twice, range(12))
    assert double["soil_moisture"].shape == (12, 2, 3, 3)
    assert state["hidden"].shape == (2, 8, 3)
    torch.testing.assert_close(double["soil_moisture"][:, 1], single["soil_moisture"], rtol=0, atol=1e-6)


def test_gradients_are_exact():
    model = SoilLSTM(hidden=5, generator=seeded(1)).double()
    inputs = {name: value.double() for name, value in weather(8, 2).items()}
    state = start(model, 2, dtype=torch.float64)

    def run(rain: torch.Tensor, drying: torch.Tensor) -> list[torch.Tensor]:
        pair = {"precipitation_flux": rain, "water_evapotranspiration_flux": drying}
        now, outputs = state, []
        for i in range(8):  # cells: double vjp is not defined for nn.LSTM everywhere
            answer, now = model.step(now, {k: v[i] for k, v in pair.items()}, i)
            outputs.append(answer["soil_moisture"])
        return outputs

    assert dot_product_error(run, list(inputs.values()), seeded(3)) < 1e-12


def test_inputs_and_state_are_not_changed(model):
    inputs, state = weather(9, 2), start(model, 2)
    kept = {name: value.clone() for name, value in (inputs | state).items()}
    model(state, inputs, range(9))
    model.step(state, {name: value[0] for name, value in inputs.items()}, 0)
    assert all(torch.equal(value, kept[name]) for name, value in (inputs | state).items())


def test_what_changes_the_answer_changes_the_graph_hash():
    settings = [{}, {"bounds": (0.05, 0.5)}, {"hidden": 9}]
    hashes = {graph_hash(Graph({"soil": SoilLSTM(generator=seeded(1), **one)})) for one in settings}
    assert len(hashes) == 3
    assert "log1p(rain / 5)" in repr(SoilLSTM())


def test_in_bfloat16_soil_moisture_keeps_the_digits_of_float32(model):
    """Its numbers are not those of a bfloat16, and they err by its digits of the range of soil moisture."""
    with torch.no_grad():
        exact = model(start(model, 3), weather(30, 3), range(30))[0]["soil_moisture"]
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(start(model, 3), weather(30, 3), range(30))[0]["soil_moisture"]
    assert rounded.dtype == torch.float32 and not torch.equal(rounded, rounded.bfloat16().float())
    assert float((rounded - exact).abs().max()) < 2.0**-7 * (model.high - model.low)
