"""load_keras_file: honest files load, hostile and damaged ones are refused before Keras sees them."""

import hashlib
import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import torch
from crest_keras import keras_component, load_keras_file
from crest_keras.library import keras_library

from crest_core import FieldSpec, StoreError, TensorMap

keras = keras_library()
MEMBERS = ("metadata.json", "config.json", "model.weights.h5")


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A file with what real models have: nested model, operations, recurrent layer, dropout, optimizer."""
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    layers = [keras.Input((6,)), keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.2)]
    inner = keras.Sequential(layers, name="inner")
    x = keras.Input((5, 2), name="x")
    features = keras.layers.LSTM(6, kernel_regularizer="l2", bias_constraint="max_norm")(x)
    y = keras.layers.Dense(1, name="head")(inner(features)) * 2.0 + keras.ops.mean(features, axis=-1, keepdims=True)
    model = keras.Model(x, keras.ops.tanh(y))
    model.compile("adam", "mse")
    model.save(path)
    return path


@pytest.fixture
def forged(honest, tmp_path):
    """A function that changes members of the honest file and returns the new path."""

    def forge(config=None, weights=None, extra=None, **replaced):
        with zipfile.ZipFile(honest) as archive:
            members = {name: archive.read(name) for name in MEMBERS}
        if config is not None:
            tree = json.loads(members["config.json"])
            members["config.json"] = json.dumps(config(tree) or tree).encode()
        if weights is not None:
            memory = io.BytesIO(members["model.weights.h5"])
            with h5py.File(memory, "r+") as file:
                weights(file)
            members["model.weights.h5"] = memory.getvalue()
        members |= {name.replace("_json", ".json"): value for name, value in replaced.items()} | (extra or {})
        path = tmp_path / "forged.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if content is not None:
                    archive.writestr(name, content)
        return path

    return forge


def refused(path, words, **options):
    with pytest.raises(StoreError, match=words) as caught:
        load_keras_file(path, **options)
    assert path.name in str(caught.value)


def test_a_model_gives_the_same_before_and_after(honest):
    model = load_keras_file(honest, sha256=hashlib.sha256(honest.read_bytes()).hexdigest())
    expected = keras.saving.load_model(honest)
    x = np.random.default_rng(1).normal(size=(3, 5, 2)).astype("float32")
    numbers = [keras.ops.convert_to_numpy(one(x, training=False).detach()) for one in (model, expected)]
    assert np.array_equal(*numbers) and not model.compiled


def test_a_file_becomes_a_component_that_computes_in_float64_too(honest):
    component = keras_component(
        honest,
        inputs=(FieldSpec(name="rain", units="mm", window=5), FieldSpec(name="warmth", units="degC", window=5)),
        outputs=(FieldSpec(name="runoff", units="mm"),),
        input_maps=(TensorMap("x", ("rain", "warmth"), "time window ... -> (time ...) window field"),),
        output_maps=(TensorMap("y", ("runoff",), "time ... -> (time ...) field"),),
    )
    inputs = {name: torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(1)) for name in ("rain", "warmth")}
    single = component({}, inputs, range(4))[0]["runoff"]
    double = component.double()({}, {name: value.double() for name, value in inputs.items()}, range(4))[0]["runoff"]
    assert single.shape == (4, 3) and (single - double).abs().max() < 1e-6


def test_another_hash_is_refused(honest):
    refused(honest, "expected the sha256 0000, got [0-9a-f]{64}; it is another file or damaged", sha256="0000")


def test_a_file_that_is_not_there_or_too_large_is_refused(honest, tmp_path):
    refused(tmp_path / "none.keras", "no such file")
    refused(honest, r"\d+ bytes, at most 1000; raise max_bytes if you trust it", max_bytes=1000)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(honest, tmp_path, share):
    path = tmp_path / "short.keras"
    content = honest.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "is no whole .keras file: ")


def test_flipped_bytes_are_refused(honest, tmp_path):
    path, content = tmp_path / "flipped.keras", bytearray(honest.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    refused(path, "is no whole .keras file: Bad CRC-32")


def test_an_old_hdf5_model_is_told_apart(tmp_path):
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.ones(1)
    refused(path, "HDF5 files of Keras 2 are not read; save the model again as .keras")


@pytest.mark.parametrize(
    "name", ["../escape.json", "assets/words.txt", "evil.py", "config.json/../x", "model.weights.npz"]
)
def test_other_members_are_refused(forged, name):
    refused(forged(extra={name: b"x"}), "expected the members config.json, metadata.json and model.weights.h5, got")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_refused(honest, tmp_path):
    path = tmp_path / "twice.keras"
    path.write_bytes(honest.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", "{}")
    refused(path, "expected the members")


def test_a_missing_member_is_refused(forged):
    refused(forged(extra={"model.weights.h5": None}), "expected the members")


def test_a_member_that_unpacks_to_too_much_is_refused(forged):
    refused(forged(config_json=b" " * (2**24 + 1)), "config.json unpacks to 16777217 bytes, at most 16777216")
    refused(
        forged(extra={"model.weights.h5": bytes(300_000)}), "unpacks to 300000 bytes, at most 200000", max_bytes=200_000
    )


@pytest.mark.parametrize("text", [b"not json", b"\xff\xfe\x00", b"[" * 200_000])
def test_a_configuration_that_is_no_json_is_refused(forged, text):
    refused(forged(config_json=text), "config.json is no JSON: ")


def layer(**node):
    """Return a change of the configuration that puts a layer into the inner model."""

    def change(tree):
        inner = next(one for one in tree["config"]["layers"] if one["config"]["name"] == "inner")
        inner["config"]["layers"].insert(1, {"registered_name": None, "config": {"name": "evil"}, **node})

    return change


def wide(tree):
    """Put a layer of a million units between two others of the inner model, and one that leads back."""
    for units in (6, 10**6):
        config = {"name": f"wide_{units}", "units": units}
        layer(module="keras.layers", class_name="Dense", config=config)(tree)


CODE = {"class_name": "__lambda__", "config": {"value": ["4wEAAA==", None, None]}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            layer(module="keras.layers", class_name="Lambda", config={"function": CODE}),
            "Lambda runs code that is stored in",
        ),
        (
            layer(module="keras.layers", class_name="Dense", config={"units": 1, "activation": CODE}),
            "__lambda__.* is no layer",
        ),
        (layer(module="keras.layers", class_name="TorchModuleWrapper"), "TorchModuleWrapper opens a pickle"),
        (layer(module="keras.layers", class_name="TFSMLayer"), "TFSMLayer opens another model by its path"),
        (layer(module="keras.layers", class_name="StringLookup"), "StringLookup opens a file of words by its path"),
        (layer(module="keras.layers", class_name="JaxLayer"), "JaxLayer runs code"),
        (layer(module="os", class_name="function", config="system"), r"os.system \(registered as None\) is no layer"),
        (layer(module="builtins", class_name="exec"), "builtins.exec .* is no layer"),
        (layer(module="subprocess", class_name="Popen", config={"args": ["id"]}), "subprocess.Popen .* is no layer"),
        (
            layer(module="evil.package", class_name="Dense"),
            "evil.package.Dense .* is not imported: build the model in Python",
        ),
        (layer(module=None, class_name="Dense"), "None.Dense .* is no layer"),
        (layer(module="keras.layers", class_name=["Dense"]), "is no layer"),
        (layer(module="keras.utils", class_name="get_file"), "keras.utils.get_file .* is no layer"),
        (
            layer(module="keras.saving", class_name="function", config="load_model"),
            "keras.saving.load_model .* is no layer",
        ),
        (layer(module="keras.config", class_name="function", config="enable_unsafe_deserialization"), "is no layer"),
        (layer(module="keras.src.utils.file_utils", class_name="get_file"), "get_file .* is no layer"),
        (layer(module="keras.src.ops.numpy", class_name="np"), "keras.src.ops.numpy.np .* is no layer"),
        (layer(module="keras.layers", class_name="__class__"), "keras.layers.__class__ .* is no layer"),
        (
            layer(module="keras.layers", class_name="Dense", registered_name="mine>Dense"),
            r"registered as 'mine>Dense'\) is no",
        ),
        (layer(class_name="__typespec__", module="keras", spec_name="x"), "__typespec__ .* is no layer"),
        (
            lambda tree: {"module": "keras.layers", "class_name": "Dense", "config": {}},
            "expected a Sequential or functional",
        ),
        (lambda tree: [tree], "expected a Sequential or functional model, got 'list'"),
        (
            layer(module="keras.layers", class_name="Dense", config={"units": 10**12}),
            r"units is 1e\+12, more than 1e\+07; no",
        ),
        (
            wide,
            r"its configuration asks for \d{7,} real numbers, and model.weights.h5 has \d+; the file is damaged",
        ),
        (
            layer(module="keras.layers", class_name="Dense", config={"units": -1}),
            "cannot be? ?build it: ValueError|cannot build it",
        ),
    ],
)
def test_a_configuration_that_names_code_files_or_giants_is_refused(forged, change, words):
    refused(forged(config=change), words)


def test_a_layer_that_was_built_for_no_shape_is_refused(forged):
    def shapeless(tree):
        built = next(one for one in tree["config"]["layers"] if one["config"]["name"] == "head")
        built["build_config"] = {"input_shape": []}

    refused(forged(config=shapeless), "cannot build it: IndexError")


def test_a_hostile_optimizer_is_never_looked_at(forged):
    def change(tree):
        evil = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
        tree["compile_config"] = {"optimizer": evil, "loss": CODE}

    assert not load_keras_file(forged(config=change)).compiled


def test_an_input_of_giant_shape_is_refused(forged):
    def change(tree):
        tree["config"]["layers"][0]["config"]["batch_shape"] = [None, 10**5, 10**5]

    refused(
        forged(config=change), r"batch_shape \[None, 100000, 100000\] is of 1e\+10 numbers, more than 1e\+08; no real"
    )


def test_a_configuration_nested_too_deeply_is_refused(forged):
    def change(tree):
        node = tree
        for _ in range(150):
            node["config"] = {"config": {}}
            node = node["config"]

    refused(forged(config=change), "nested more than 100 levels deep")


def links(file):
    file["elsewhere"] = h5py.ExternalLink("other.h5", "/secret")


def soft(file):
    file["elsewhere"] = h5py.SoftLink("/layers")


def cycle(file):
    file["layers/back"] = file["layers"]


def outside(file):
    file.create_dataset("outside", (4,), "u1", external=[("secret.txt", 0, 4)])


def virtual(file):
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("virtual", layout)


def giant(file):
    file.create_dataset("giant", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


def words(file):
    file["words"] = np.array([b"import os"], dtype=object)


def kind(file):
    file["kind"] = np.dtype("f4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (links, "/elsewhere is a ExternalLink; links are not followed"),
        (soft, "/elsewhere is a SoftLink; links are not followed"),
        (cycle, "groups are nested more than 50 levels deep; a link leads back"),
        (outside, "/outside holds external or virtual data; expected plain numbers"),
        (virtual, "/virtual holds external or virtual data"),
        (giant, "/giant declares 4000000000000 bytes, at most 1073741824 in all"),
        (words, "/words holds object; expected plain numbers"),
        (kind, "/kind is a stored Datatype; expected plain numbers"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_weights_that_lead_elsewhere_or_are_no_numbers_are_refused(forged, change, message):
    refused(forged(weights=change), message)


def test_weights_that_are_damaged_or_of_another_model_are_refused(forged, honest):
    refused(forged(extra={"model.weights.h5": b"\x89HDF\r\n\x1a\n" + bytes(500)}), "model.weights.h5 cannot be read: ")

    def shrink(file):
        name = next(name for name in file["layers"] if name.startswith("dense"))
        del file[f"layers/{name}/vars/0"]
        file[f"layers/{name}/vars/0"] = np.ones((7, 7), "f4")

    refused(forged(weights=shrink), "cannot build it: ")
