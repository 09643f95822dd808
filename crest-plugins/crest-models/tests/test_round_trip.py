"""A saved model is the model: same numbers, same gradients, same restart, under a registered name."""

import pytest
import torch
from crest_models import ModelError, add_model, card, load_model, save_model
from crest_run import build_graph, load_run

from crest_core import FieldSpec, Sizes, Standardize
from crest_core.plugins import registry
from crest_core.testing import check_component, taylor_orders

RUN = "graph: {components: {flow: {use: river}}}\nforcing: {source: weather}\n"


def drivers(steps=20, cells=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    rain = torch.rand(steps, cells, generator=generator, dtype=dtype) * 10.0
    return {"rain": rain, "warmth": torch.rand(steps, cells, generator=generator, dtype=dtype) * 20.0}


def start(component, cells=3, dtype=torch.float32):
    return component.initial_state(Sizes({**component.dim_sizes, "cell": cells}, dtype=dtype))


def test_a_loaded_model_gives_the_same_numbers_bit_for_bit(lstm, folder):
    loaded, inputs = load_model(folder), drivers()
    ours, theirs = (model(start(model), inputs, range(20))[0]["runoff"] for model in (lstm, loaded))
    assert torch.equal(ours, theirs) and float(ours.detach().std()) > 0.0
    assert (loaded.inputs, loaded.outputs, loaded.states) == (lstm.inputs, lstm.outputs, lstm.states)


def test_loading_draws_nothing_from_the_global_generator(folder):
    before = torch.get_rng_state()
    load_model(folder)
    assert torch.equal(before, torch.get_rng_state())


def test_an_added_model_is_built_into_a_graph_by_its_name_and_restarts_bit_for_bit(folder, shelf, tmp_path):
    add_model(folder)
    (tmp_path / "run.yaml").write_text(RUN)
    graph = build_graph(load_run(tmp_path / "run.yaml"))
    inputs = {spec.name: drivers()[spec.name] for spec in graph.inputs}
    whole, end = graph(start(graph), inputs, range(20))
    first, middle = graph(start(graph), {name: value[:8] for name, value in inputs.items()}, range(8))
    again = build_graph(load_run(tmp_path / "run.yaml"))  # as a new process would
    rest, same = again(middle, {name: value[8:] for name, value in inputs.items()}, range(8, 20))
    (name,) = whole
    apart, rest_alone = (
        torch.cat([first[name], rest[name]]),
        graph(middle, {k: v[8:] for k, v in inputs.items()}, [0] * 12),
    )
    assert torch.equal(rest[name], rest_alone[0][name])
    assert torch.allclose(apart, whole[name], atol=1e-6) and set(same) == set(end)


def test_gradients_pass_through_a_loaded_model(folder):
    model = load_model(folder).double()
    inputs = drivers(dtype=torch.float64)

    def loss(rain):
        outputs, _ = model(start(model, dtype=torch.float64), {**inputs, "rain": rain}, range(20))
        return outputs["runoff"].square().sum()

    direction = torch.randn(20, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert min(taylor_orders(loss, inputs["rain"], direction, [1e-1, 3e-2, 1e-2])) > 1.9
    loss(inputs["rain"]).backward()
    assert all(float(parameter.grad.abs().sum()) > 0.0 for parameter in model.parameters())


def test_a_loaded_model_conforms(folder):
    report = check_component(load_model(folder))
    assert not report.failures, str(report)


def test_the_card_tells_fields_data_period_skill_licence_and_citation(folder):
    text = card(folder)
    for words in (
        "river 1.0: Runoff from rain and warmth",
        "warmth [degC] air_temperature",
        "synthetic weather",
        "2001-01-01 to 2003-01-01, seed 7",
        "NSE of 2003: 0.5",
        "CC-BY-4.0",
        "A report of 2026",
    ):
        assert words in text


def test_the_depths_of_layers_travel(tmp_path):
    moisture = FieldSpec(name="moisture", units="1", dims=("soil_layer", "cell"), cell_methods="time: point")
    scale = Standardize(mean={"rain": 2.0, "moisture": 0.3}, std={"rain": 5.0, "moisture": 0.1})
    rain = FieldSpec(name="rain", units="mm day-1")
    soil = registry().load("backends", "torch-lstm")(
        inputs=(rain,), outputs=(moisture,), scale=scale, hidden=4, dim_sizes={"soil_layer": 2}
    )
    soil.layers = {"soil_layer": ((0.0, 0.2), (0.2, 0.6))}
    about = {"name": "soil", "version": "1", "summary": "s", "licence": "MIT", "citation": "c"}
    training = {"data": "d", "period": ("2001-01-01", "2002-01-01")}
    loaded = load_model(save_model(soil, tmp_path / "soil", **about, training=training))
    assert loaded.layers == soil.layers and loaded.outputs == (moisture,)


def test_a_folder_is_not_overwritten_unasked(lstm, folder):
    about = {"name": "river", "version": "2", "summary": "s", "licence": "MIT", "citation": "c"}
    training = {"data": "d", "period": ("2001-01-01", "2002-01-01")}
    with pytest.raises(ModelError, match="exists; give another folder, or overwrite=True"):
        save_model(lstm, folder, **about, training=training)
    save_model(lstm, folder, **about, training=training, overwrite=True)
    assert card(folder).startswith("river 2: s")


def test_a_model_with_a_bad_card_is_not_written(lstm, tmp_path):
    with pytest.raises(
        ModelError, match=r"not written: .*new/model.yaml:\d+: training.period: expected \[start, end\)"
    ):
        save_model(
            lstm,
            tmp_path / "new",
            name="river",
            version="1",
            summary="s",
            licence="MIT",
            citation="c",
            training={"data": "d", "period": ("2003-01-01", "2002-01-01")},
        )
    assert not (tmp_path / "new").exists()


def test_only_components_that_the_format_describes_are_saved(tmp_path):
    from crest_core.testing import TorchBucket

    with pytest.raises(
        ModelError, match="writes components of lstm_component .*, got TorchBucket; others leave as ONNX"
    ):
        save_model(TorchBucket(), tmp_path / "x", name="x", version="1", summary="s", licence="MIT", citation="c",
                   training={})  # fmt: skip


def test_the_registry_gives_the_function_that_loads(folder, shelf):
    add_model(folder)
    load = registry().load("components", "river")
    assert load.__doc__ == card(folder) and load().outputs[0].name == "runoff"
