"""A registered component in a model folder: same numbers, and whatever does not fit is told before anything runs."""

import hashlib
import json
import sys
import warnings

import pytest
import torch
from crest_models import ModelError, ModelWarning, SavedModel, add_model, card, load_model, save_model
from crest_models.bounded import Bounded
from safetensors.torch import load, save

from crest_core import Sizes
from crest_core.plugins import registry

ABOUT = {
    "name": "village-pond",
    "version": "1.0",
    "summary": "Level of the pond",
    "licence": "CC0-1.0",
    "citation": "none",
    "training": {"data": "none", "period": ["2001-01-01", "2003-01-01"], "skill": {"NSE": 0.5}},
}
PLUGIN = """
from crest_core.hookspecs import hookimpl


@hookimpl
def register_components(register):
    register("pond", "ponds.model:Pond", summary="Ponds")
    register("shipped-pond", "ponds.shipped:pond", summary="A pond with weights")
    register("lake", "ponds.model:Lake", summary="Lakes")
    register("duck", "ponds.shipped:duck", summary="No class")
"""
MODEL = """
import torch
from crest_core import FieldSpec, StepComponent

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")
LEVEL = FieldSpec(name="level", units="mm", cell_methods="time: point")


class Pond(StepComponent):
    outputs = (LEVEL,)

    def __init__(self, *, units=2, rains=("rain",), label="", ditches=0, generator=None):
        super().__init__()
        self.inputs = tuple(FieldSpec(name=name, units="mm day-1", doc="in") for name in rains)
        self.inlet = torch.nn.Linear(len(rains), units)
        self.register_buffer("mean", torch.zeros(units))
        self.depth = 7.0
        for _ in range(ditches):
            torch.ones(1000)

    def extra_repr(self):
        return f"depth {self.depth}"

    def step(self, state, inputs, time):
        rain = torch.stack(list(inputs.values()), -1)
        return {"level": (self.inlet(rain) + self.mean).sum(-1) * self.depth}, {}


class Lake(Pond):
    pass
"""
SHIPPED = """
from pathlib import Path
from crest_core import registry

pond = registry().load("parts", "saved-model")(Path(__file__).parent / "models" / "village-pond")


def duck():
    return "quack"
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An installed package "pond-package" with a component, and one that ships a model folder."""
    site = tmp_path / "site"
    info = site / "pond_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pond-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[crest.plugins]\npond = ponds._plugin\n")
    (site / "ponds").mkdir()
    for name, text in (("__init__", ""), ("_plugin", PLUGIN), ("model", MODEL), ("shipped", SHIPPED)):
        (site / "ponds" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("CREST_MODELS", str(tmp_path / "shelf"))
    registry.cache_clear()
    yield site
    registry.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "ponds"]:
        del sys.modules[name]


@pytest.fixture
def pond(site):
    """A pond with scaling and weights of its own."""
    pond = registry().load("components", "pond")(units=3)
    with torch.no_grad():
        for value in pond.state_dict().values():
            value.copy_(torch.rand(value.shape, generator=torch.Generator().manual_seed(4)))
    return pond


@pytest.fixture
def saved(pond, tmp_path):
    """Its model folder."""
    return save_model(pond, tmp_path / "village-pond", **ABOUT, use="pond", settings={"units": 3})


def level(component):
    rain = {"rain": torch.rand(5, 4, generator=torch.Generator().manual_seed(2), dtype=component.mean.dtype)}
    return component(component.initial_state(Sizes({"cell": 4})), rain, range(5))[0]["level"]


def edit(folder, old, new):
    path = folder / "model.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def put(folder, **changes):
    """Change tensors, None takes one out, and write the true hash."""
    path = folder / "weights.safetensors"
    before = path.read_bytes()
    content = save({name: one for name, one in {**load(before), **changes}.items() if one is not None})
    path.write_bytes(content)
    edit(folder, hashlib.sha256(before).hexdigest(), hashlib.sha256(content).hexdigest())
    return edit(folder, f"size: {len(before)}", f"size: {len(content)}")


def fault(folder):
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_registered_component_comes_back_bit_for_bit(pond, tmp_path, dtype):
    pond = pond.to(dtype)
    before = torch.get_rng_state()
    same = load_model(save_model(pond, tmp_path / "pond", **ABOUT, use="pond", settings={"units": 3}))
    assert torch.equal(before, torch.get_rng_state())
    assert type(same) is type(pond) and same.mean.dtype == dtype and torch.equal(level(pond), level(same))


def test_its_card_names_component_package_and_settings(saved):
    assert "component   pond of pond-package 1.0 units=3" in card(saved) and "NSE: 0.5" in card(saved)


def test_an_added_one_is_listed_run_and_saved_again(saved, tmp_path):
    add_model(saved)
    component = registry().load("components", "village-pond")()
    assert torch.equal(level(component), level(load_model(saved)))
    with torch.no_grad():
        component.mean += 1.0
    again = save_model(component, tmp_path / "tuned", **ABOUT, use="village-pond")
    assert "settings: {units: 3}" in (again / "model.yaml").read_text()
    assert torch.equal(level(load_model(again)), level(component))


def test_a_package_ships_a_folder_under_a_name_of_its_own(saved, site, crest, monkeypatch, tmp_path):
    monkeypatch.setenv("CREST_MODELS", str(tmp_path / "shelf"))
    saved.rename((site / "ponds" / "models").mkdir() or site / "ponds" / "models" / "village-pond")
    registry.cache_clear()
    code, out, _ = crest("list", "--json", "--kind", "components")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0 and rows["shipped-pond"]["distribution"] == "pond-package"
    shipped = registry().load("components", "shipped-pond")
    assert isinstance(shipped, SavedModel) and shipped.__doc__ == card(shipped.path)
    assert tuple(level(shipped()).shape) == (5, 4)
    code, out, _ = crest("info", "shipped-pond")
    assert code == 0 and "component   pond of pond-package 1.0 units=3" in out
    (shipped.path / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"'village-pond' that a package ships cannot be loaded: .*\ninstall its"):
        shipped()


def test_a_component_whose_package_is_missing_names_it_and_pip(saved):
    told = fault(edit(saved, "name: pond\n", "name: pool\n"))
    assert (
        "component.name: the component 'pool' is not installed; its package is pond-package 1.0: pip install " in told
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "package: pond-package",
            "package: other",
            "here is of pond-package 1.0, and the weights are of that of other",
        ),
        ("{units: 3}", "{unit: 3}", "component.settings: pond: got an unexpected keyword argument 'unit'"),
        ("{units: 3}", "{unit: 3}", "settings: units, rains, label, ditches"),
        ("{units: 3}", "{units: three}", "component.settings: TypeError: "),
        ("{units: 3}", "{units: 3, label: a/b}", "label: the text 'a/b' could name a file or code"),
        ("{units: 3}", "{units: 3, label: ['os.system']}", "label: the text 'os.system' could name a file or code"),
        ("{units: 3}", "{units: 3, label: {'m:f': 1}}", "label: the text 'm:f' could name a file or code"),
        ("{units: 3}", "{units: 4}", "tensor 'mean': pond with these settings has F32 of shape [4], the file F32 of"),
        ("{units: 3}", "{units: 90000000}", "the settings ask for far more numbers than the 9 that the weights file"),
        ("{units: 3}", "{units: 3, ditches: 9999}", "the settings ask for far more numbers than the 9"),
        ("{units: 3}", "{units: 3, rains: [snow]}", "inputs: pond with these settings has snow, and was saved with"),
        ("units: mm day-1", "units: mm h-1", "inputs: rain of pond is FieldSpec("),
        ("timestep: 1D", "timestep: 1h", "timestep: pond has 1D, and was saved with 1h"),
        ("dtype: float32", "dtype: float64", "has F64 of shape [3], the file F32 of shape [3]"),
        (
            "timestep: 1D",
            "timestep: 1D\nscaling: {rain: {mean: 0.0, std: 1.0, units: mm day-1}}",
            "scaling: the compon",
        ),
        ("timestep: 1D", "timestep: 1D\nbackend: torch-lstm", "backend: the component brings its own; take the key"),
        ("name: pond\n", "name: duck\n", "'duck' is a function, expected the class of a component"),
        ("file: weights.safetensors", "file: weights.pt", "a component reads .safetensors files, got '.pt'"),
        ("component:", "options:", "backend: missing key; expected backend (a network) or component"),
        ("size: ", "size: 1", "it was cut off or changed"),
        ("\n  version: '1.0'", "\n  version: '1/0'", "component.version"),
    ],
)
def test_what_does_not_fit_is_told(saved, old, new, words):
    assert words in fault(edit(saved, old, new))


def test_weights_of_another_component_are_told(saved):
    told = fault(put(saved, mean=None, depth=torch.zeros(1)))
    assert ": weights: the weights lack mean and hold the unknown depth; they are not of pond" in told
    told = fault(put(saved, depth=None, mean=torch.zeros(3, dtype=torch.float64)))
    assert "tensor 'mean': pond with these settings has F32 of shape [3], the file F64" in told


def test_another_version_that_is_built_the_same_warns(saved, site):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(saved)
    edit(saved, "\n  version: '1.0'", "\n  version: '0.9'")
    with pytest.warns(ModelWarning, match="saved with pond-package 0.9, and 1.0 is installed; it is built the same"):
        load_model(saved)


def test_code_that_was_changed_is_told(saved, monkeypatch):
    monkeypatch.setattr(registry().load("components", "pond"), "extra_repr", lambda self: "depth 8.0")
    assert "component.structure: pond of pond-package is built otherwise than the one that was saved (although both " \
        "are 1.0: its code was changed since)" in fault(saved)  # fmt: skip
    told = fault(edit(saved, "\n  version: '1.0'", "\n  version: '0.9'"))
    assert "(1.0 is installed, 0.9 was saved)" in told and "take pond-package==0.9 as it was, or train it again" in told


def test_the_bytes_of_a_library_that_a_package_compiles_are_not_its_code(saved, monkeypatch):
    """Each machine compiles other bytes: a folder would load on the machine that made it and on no other."""
    kind = registry().load("components", "pond")
    usual = kind.extra_repr
    monkeypatch.setattr(kind, "extra_repr", lambda self: f"{usual(self)}, sha256 {'ab' * 32}")
    load_model(saved)
    monkeypatch.setattr(kind, "extra_repr", lambda self: f"{usual(self)}, library pond 2.0")
    assert "is built otherwise than the one that was saved" in fault(saved)


def test_what_explains_a_field_is_not_what_it_is(saved):
    load_model(edit(saved, "doc: in", "doc: rain on the pond"))


@pytest.mark.parametrize(
    ("use", "settings", "words"),
    [
        ("pool", {}, "the component 'pool' is not installed"),
        ("lake", {}, "'lake' is Lake, and the component a Pond"),
        ("pond", {}, "not written: .*tensor 'mean'"),
        (
            "pond",
            {"units": torch.tensor(3)},
            "not written: .*cannot represent an object.*settings and training hold num",
        ),
        ("pond", {"units": 3, "label": "../pond"}, "not written: .*label: the text '../pond' could name a file"),
    ],
)
def test_what_cannot_come_back_is_not_written(pond, tmp_path, use, settings, words):
    with pytest.raises(ModelError, match=words):
        save_model(pond, tmp_path / "new", **ABOUT, use=use, settings=settings)
    assert not (tmp_path / "new").exists()


def test_a_network_of_its_own_is_not_saved_by_name(lstm, folder, site, tmp_path):
    add_model(folder)
    with pytest.raises(ModelError, match="'river' is a model folder with a network of its own; save it without `use`"):
        save_model(lstm, tmp_path / "new", **ABOUT, use="river")


def test_bounded_counts_what_is_asked_for_before_it_is_made():
    with pytest.raises(ModelError, match="more numbers than the 10"), Bounded(10):
        torch.zeros(10**14)
    with Bounded(10):
        torch.zeros(100).reshape(10, 10)
