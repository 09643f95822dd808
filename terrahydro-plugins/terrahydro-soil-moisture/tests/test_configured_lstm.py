"""The soil LSTM with layers, weather and attributes of one's choice: laws, known answers, messages."""

import pytest
import torch
from terrahydro_soil_moisture import SoilLSTM
from terrahydro_soil_moisture.layers import root_zone_shares

from crest_core import FieldError, Graph, Sizes
from crest_core.provenance import graph_hash

ERA5_LAND = ((0.0, 0.07), (0.07, 0.28), (0.28, 1.0), (1.0, 2.89))
FORCING = ("precipitation_flux", "air_temperature", "vapour_pressure")
SCALES = {"precipitation_flux": (3.0, 7.0), "air_temperature": (12.0, 8.0), "vapour_pressure": (900.0, 450.0)}


def seeded(number):
    return torch.Generator().manual_seed(number)


def build(**settings):
    plain = {"hidden": 8, "layers": ERA5_LAND, "forcing": FORCING, "attributes": {"sand": "%"}, "generator": seeded(1)}
    return SoilLSTM(**plain | settings).eval()


def weather(days, cells, seed=2):
    draw = torch.rand(3, days, cells, generator=seeded(seed))
    rain = 40.0 * (draw[0] - 0.7).clamp(min=0.0)
    return {"precipitation_flux": rain, "air_temperature": 30.0 * draw[1], "vapour_pressure": 500.0 + 900.0 * draw[2],
            "sand": torch.linspace(5.0, 90.0, cells)}  # fmt: skip


def run(model, inputs):
    state = model.initial_state(Sizes({**model.dim_sizes, "cell": inputs["precipitation_flux"].shape[-1]}))
    with torch.no_grad():
        return model(state, inputs, range(len(inputs["precipitation_flux"])))


def test_the_root_zone_is_the_part_of_each_layer_that_lies_within():
    outputs, _ = run(build(), weather(12, 3))
    layers = outputs["soil_moisture"]
    expected = (0.07 * layers[:, 0] + 0.21 * layers[:, 1] + 0.32 * layers[:, 2]) / 0.6
    torch.testing.assert_close(outputs["root_zone_soil_moisture"], expected)
    assert layers.shape == (12, 4, 3)


def test_shallow_layers_have_no_root_zone():
    model = build(layers=((0.0, 0.05),))
    assert [spec.name for spec in model.outputs] == ["soil_moisture"] == list(run(model, weather(2, 2))[0])
    assert root_zone_shares(((0.0, 0.05), (0.2, 0.9))) is None
    assert model.layers == {"soil_layer": ((0.0, 0.05),)} and model.dim_sizes["soil_layer"] == 1


def test_steps_and_sequence_agree_with_statics_and_many_layers():
    model, inputs = build(attributes={"sand": "%"}), weather(40, 4)
    whole, last = run(model, inputs)
    state = model.initial_state(Sizes({**model.dim_sizes, "cell": 4}))
    for day in range(40):
        now = {name: value if name == "sand" else value[day] for name, value in inputs.items()}
        outputs, state = model.step(state, now, day)
        for name, value in outputs.items():
            assert float((value - whole[name][day]).detach().abs().max()) < 1e-6
    torch.testing.assert_close(state["hidden"].detach(), last["hidden"], rtol=0, atol=2e-6)


def test_scaled_fields_give_the_answer_of_the_same_fields_in_other_units():
    warm, kelvin, inputs = build(), build(), weather(20, 3)
    mean, std = ({name: pair[i] for name, pair in SCALES.items()} for i in (0, 1))
    warm.standardise(mean, std)
    kelvin.standardise(mean | {"air_temperature": 285.15}, std)
    changed = inputs | {"air_temperature": inputs["air_temperature"] + 273.15}
    torch.testing.assert_close(
        run(warm, inputs)[0]["soil_moisture"], run(kelvin, changed)[0]["soil_moisture"], rtol=0, atol=1e-5
    )


def test_a_dry_day_stays_a_feature_of_0_whatever_the_mean_of_rain_is():
    model = build()
    model.standardise({"precipitation_flux": 3.0}, {"precipitation_flux": 7.0})
    inputs = {name: value[0] if value.dim() > 1 else value for name, value in weather(1, 2).items()}
    features = model.scaling(inputs | {"precipitation_flux": torch.tensor([0.0, 7.0])})
    assert features[:, 0].tolist() == pytest.approx([0.0, 0.693147], abs=1e-6)


def test_scaling_goes_with_the_weights_and_into_the_graph_hash():
    model, twin = build(), build(generator=seeded(4))
    before = graph_hash(Graph({"soil": model}))
    model.standardise({"air_temperature": 4.0}, {"air_temperature": 9.0})
    assert graph_hash(Graph({"soil": model})) != before
    twin.load_state_dict(model.state_dict())
    inputs = weather(5, 2)
    assert torch.equal(run(model, inputs)[0]["soil_moisture"], run(twin, inputs)[0]["soil_moisture"])


def test_the_attribute_of_a_place_changes_its_answer_alone():
    model, inputs = build(), weather(10, 3)
    model.standardise({"sand": 40.0}, {"sand": 20.0})
    other = inputs | {"sand": torch.tensor([5.0, 47.5, 10.0])}
    first, second = (run(model, one)[0]["soil_moisture"] for one in (inputs, other))
    torch.testing.assert_close(first[..., :2], second[..., :2], rtol=0, atol=1e-7)
    assert float((first[..., 2] - second[..., 2]).abs().max()) > 1e-4


def test_dropout_is_there_while_training_only():
    model, inputs = build(dropout=0.5), weather(10, 2)
    assert torch.equal(run(model, inputs)[0]["soil_moisture"], run(model, inputs)[0]["soil_moisture"])
    model.train()
    assert not torch.equal(run(model, inputs)[0]["soil_moisture"], run(model, inputs)[0]["soil_moisture"])


def test_one_number_starts_all_layers_and_without_one_it_is_the_middle_of_the_bounds():
    for settings, expected in (({"initial_soil_moisture": 0.2}, 0.2), ({}, 0.3)):
        started = build(**settings)._moisture(torch.zeros(1, 8))["soil_moisture"].detach()
        assert started.flatten().tolist() == pytest.approx([expected] * 4, abs=1e-6)


def test_the_recurrent_weights_start_with_the_spectral_radius_that_was_asked_for():
    gates = build(hidden=200, radius=0.15).lstm.get_parameter("weight_hh_l0").detach().chunk(4)
    found = [float(torch.linalg.eigvals(one).abs().max()) for one in gates]
    assert found == pytest.approx([0.15] * 4, rel=0.15)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"forcing": ("rain",)}, r"forcing \['rain'\]; expected one or more distinct names of \['precipitation_flux'"),
        ({"forcing": ()}, r"forcing \[\]; expected one or more"),
        ({"layers": ((0.0, 0.3), (0.2, 0.6))}, r"layers .* expected \(top, bottom\) from the surface down"),
        ({"layers": ()}, r"layers \(\) m; expected"),
        ({"initial_soil_moisture": (0.2, 0.3)}, r"expected one number, or one for each of 4 layers, between 0.05"),
        ({"layers": ((0.0,),)}, r"layers \(\(0.0,\),\); expected pairs of depths in m"),
        ({"hidden": 0}, r"hidden 0; expected a whole number of units"),
        ({"dropout": float("nan")}, r"dropout nan; expected a share from 0 to below 1"),
        ({"radius": float("nan")}, r"radius nan; expected 0 or more, or None"),
        ({"bounds": (5.0, 60.0)}, r"bounds \(5.0, 60.0\) m3 m-3; expected a lower and an upper one, from 0 to 1"),
        ({"attributes": {"precipitation_flux": "1"}}, r"attributes \['precipitation_flux'\] have names of the forcing"),
        ({"initial_soil_moisture": 20.0}, r"initial_soil_moisture 20.0 \[1\]; expected one number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(FieldError, match=words):
        build(**settings)


def test_scaling_of_unknown_fields_or_without_spread_is_refused():
    with pytest.raises(FieldError, match=r"no fields \['snow'\] to scale, expected some of"):
        build().standardise({"snow": 1.0}, {"snow": 1.0})
    with pytest.raises(FieldError, match=r"not positive or not finite: \['sand'\]"):
        build().standardise({"sand": float("nan")}, {"sand": 1.0})
    with pytest.raises(FieldError, match=r"not positive or not finite: \['sand'\]"):
        build().standardise({"sand": 1.0}, {"sand": 0.0})
