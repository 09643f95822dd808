"""Hostile and broken folders: each ends in an error that names file, line and key, and nothing is executed."""

import hashlib
import json
import os
import pickle
import random

import pytest
from crest_models import ModelError, load_model


class Bomb:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def safetensors(header, data=b""):
    text = json.dumps(header).encode() if isinstance(header, dict) else header
    return len(text).to_bytes(8, "little") + text + data


def refused(folder, words):
    with pytest.raises(ModelError, match=words):
        load_model(folder)


def test_a_pickle_is_not_opened(put_weights, tmp_path):
    for content in (pickle.dumps(Bomb(tmp_path / "gone")), b"PK\x03\x04" + bytes(100)):
        refused(put_weights(content), r"model.yaml:\d+: weights: this looks like a pickle .* never opened")
    assert not (tmp_path / "gone").exists()


@pytest.mark.parametrize("size", [128, 384])
def test_a_header_whose_length_begins_as_a_pickle_does_is_read(folder, put_weights, size):
    old = (folder / "weights.safetensors").read_bytes()
    taken = 8 + int.from_bytes(old[:8], "little")
    header = {name: about for name, about in json.loads(old[8:taken]).items() if name != "__metadata__"}
    full = (len(json.dumps(header)) // 256 + 1) * 256 + size
    content = safetensors(json.dumps(header).encode().ljust(full), old[taken:])
    assert content[0] == 0x80
    load_model(put_weights(content))


def test_a_symbolic_link_is_not_followed(folder, tmp_path):
    weights = folder / "weights.safetensors"
    weights.rename(tmp_path / "secret")
    weights.symlink_to(tmp_path / "secret")
    refused(folder, r"model.yaml:\d+: weights.file: .*weights.safetensors is a symbolic link, which is not followed")


def test_a_hard_link_is_refused(folder, tmp_path):
    os.link(folder / "weights.safetensors", tmp_path / "secret")
    refused(folder, r"model.yaml:\d+: weights.file: .* is a hard link: the file has 2 names; copy it")


def test_model_yaml_itself_may_be_no_link(folder, tmp_path):
    (folder / "model.yaml").rename(tmp_path / "elsewhere")
    (folder / "model.yaml").symlink_to(tmp_path / "elsewhere")
    refused(folder, "model.yaml is a symbolic link")


def test_a_pipe_does_not_block(folder):
    (folder / "weights.safetensors").unlink()
    os.mkfifo(folder / "weights.safetensors")
    refused(folder, "weights.safetensors is no regular file but a folder, pipe or device")


@pytest.mark.parametrize("path", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".hidden", "a\\b"])
def test_paths_that_leave_the_folder_are_refused(edit, path):
    refused(edit("file: weights.safetensors", f"file: '{path}'"), r"weights.file: expected the bare name of a file")


def test_another_hash_is_told_before_the_file_is_opened(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes() + b"x")
    refused(
        folder, r"model.yaml:\d+: weights.sha256: weights.safetensors has another sha256, [0-9a-f]{64}; it was chang"
    )


def test_a_file_above_the_limit_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("crest_models.reading._LARGEST_WEIGHTS", 100)
    refused(folder, r"weights.file: .*weights.safetensors has \d+ bytes, at most 100")


def test_giant_shapes_in_the_header_allocate_nothing(put_weights):
    giant = {"lstm.weight_ih_l0": {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 4 * 10**15]}}
    refused(put_weights(safetensors(giant)), r"declares F32 of shape \[1000000000, 1000000\] .* the file holds 0 bytes")
    giant["lstm.weight_ih_l0"]["data_offsets"] = [0, 0]
    refused(put_weights(safetensors(giant)), "it is damaged or made up")


def test_shapes_of_very_many_axes_are_not_multiplied_out(put_weights):
    endless = {"a": {"dtype": "F32", "shape": [2**60] * 500_000, "data_offsets": [0, 0]}}
    refused(put_weights(safetensors(endless)), "tensor 'a' declares F32 of shape .* made up")


def test_tensors_that_share_bytes_are_made_up(put_weights):
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    refused(
        put_weights(safetensors({"a": one, "b": one}, bytes(16))), "the tensors take 32 bytes, and the file holds 16"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no safetensors file, or cut off: a header of 0 bytes in a file of 0"),
        (b"\xff" * 50, "no safetensors file, or cut off"),
        (safetensors(b"[1]"), "its header is no JSON object"),
        (safetensors(b"{"), "its header is no JSON"),
        (safetensors(b'{"a": 1, "a": 2}'), "a name stands in it twice"),
        (safetensors({"a": 1}), "the header gives no known dtype, shape and data_offsets"),
        (safetensors({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}), "damaged or made up"),
        (safetensors({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)), "no known dtype"),
    ],
)
def test_damaged_headers_are_told(put_weights, content, words):
    refused(put_weights(content), words)


def test_options_that_ask_for_more_than_the_file_holds_allocate_nothing(edit):
    refused(
        edit("hidden: 6", "hidden: 65000"), r"weights: the options ask for \d{11} numbers, and the weights file holds"
    )


def test_weights_of_another_shape_are_told_by_name(edit):
    refused(edit("hidden: 6", "hidden: 5"), r"weights: .*do not fit LSTMRegressor: .*lstm.weight_ih_l0")


def test_weights_that_were_trained_with_other_units_are_refused(edit):
    refused(
        edit("mm day-1", "kg m-2 day-1"), "weights .*weights.safetensors belong to other fields or scaling: .*units"
    )


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system", "!env HOME"])
def test_yaml_tags_are_not_read(edit, tag):
    refused(
        edit("citation: A report of 2026, doi:10.0000/none", f"citation: {tag}"),
        r"model.yaml:\d+: .*the tag .* is not read",
    )


def test_yaml_aliases_cannot_grow(folder):
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))
    (folder / "model.yaml").write_text(f"a0: &a0 [x, x]\n{levels}\n")
    refused(folder, r"model.yaml:\d+: a1.0: YAML aliases \(\*name\) are not read")


def test_a_key_given_twice_is_told_with_both_lines(edit):
    refused(
        edit("licence: CC-BY-4.0", "licence: CC-BY-4.0\nname: other"),
        r"model.yaml:\d+: name: the key appears twice, first in line 2",
    )


def test_deep_nesting_and_large_files_end_in_an_error(folder):
    (folder / "model.yaml").write_text("[" * 5000)
    refused(folder, "nested too deep")
    (folder / "model.yaml").write_text("a" * 2**19)
    refused(folder, "model.yaml has 524288 bytes, at most 262144")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a: b: c", b"a: 1\n---\nb: 2", b"{[x]: 1}", b"a: '\x00'"])
def test_what_is_no_model_file_is_told(folder, content):
    (folder / "model.yaml").write_bytes(content)
    refused(folder, "model.yaml")


def test_texts_that_a_terminal_would_obey_are_refused(edit):
    refused(
        edit("summary: Runoff from rain and warmth", 'summary: "ok\\e[2J"'),
        r"summary: the text holds the control character U\+001B",
    )


def test_units_that_would_be_computed_for_ever_are_refused(edit):
    refused(
        edit("units: degC", "units: 9**9**9**9"),
        r"inputs.1.units: units '9.*' are not understood .its powers are too large",
    )


def test_weights_with_nan_are_refused(lstm, folder, put_weights):
    import torch

    torch.nn.init.constant_(lstm.module.head.bias, float("nan"))
    lstm.save_weights(folder.parent / "nan.safetensors")
    content = (folder.parent / "nan.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest()
    refused(put_weights(content), "hold nan or infinity")


@pytest.mark.parametrize("file", ["model.yaml", "weights.safetensors"])
def test_random_damage_is_refused_by_a_model_error_or_harmless(folder, put_weights, file):
    draw, good = random.Random(4), (folder / file).read_bytes()
    refusals = 0
    for _ in range(150):
        content = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(min(len(content), 2500))] = draw.choice(b":{}[]&*!#-'\"\n 0x\x00\xff9")
        if file == "model.yaml":
            (folder / file).write_bytes(content)
        else:
            put_weights(bytes(content))
        try:
            load_model(folder)
        except ModelError:
            refusals += 1
    assert refusals > 75
