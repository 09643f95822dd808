"""Folders of members: one training at a time, resumed only with what it was begun with, left alone when complete."""

import fcntl
import json

import packages
import pytest
from crest_training.train_file import TrainFileError, load_train_file
from crest_training.workflow import run_training

from crest_core import StoreError
from crest_core.cli import main as crest

EXAMPLE = packages.ROOT / "examples" / "training" / "fulda.yaml"
SHORT = {"epochs": 1, "samples.every": 60, "network.hidden": 4}


@pytest.fixture
def file(tmp_path):
    """Return a function that gives the example with changes of its keys, in a folder of this test."""

    def load(**changes):
        return load_train_file(EXAMPLE, {"folder": str(tmp_path), **SHORT, **changes})

    return load


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objectives": [{"output": "discharge", "loss": "mae"}]}, "other keys in .*fulda.yaml: objectives"),
        ({"network.hidden": 5}, "other keys in .*: network"),
        ({"training": {"start": "1979-07-01", "end": "1985-01-01"}}, "other keys in .*: training"),
    ],
)
def test_another_training_is_not_gone_on_with(file, tmp_path, changes, words):
    run_training(file(), progress=False)
    before = {path.name: path.read_bytes() for path in (tmp_path / "seed-1").iterdir() if path.is_file()}
    with pytest.raises(StoreError, match=f"was begun with other keys or data: {words}"):
        run_training(file(**changes), resume=True, progress=False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "seed-1").iterdir() if path.is_file()} == before


def test_other_data_are_told_by_their_statistics(file, tmp_path):
    run_training(file(), progress=False)
    path = tmp_path / "seed-1" / "begun.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["statistics"]["mean"]["precipitation_flux"] *= 3.0
    path.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(StoreError, match="mean of precipitation_flux in training was .*, is .*; go on with the same"):
        run_training(file(), resume=True, progress=False)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(StoreError, match="begun.json is damaged"):
        run_training(file(), resume=True, progress=False)


def test_a_complete_member_is_left_as_it_is_and_a_new_card_is_written(file, tmp_path):
    run_training(file(), progress=False)
    record = tmp_path / "seed-1" / "training.json"
    before = record.read_bytes()
    run_training(file(), resume=True, progress=False)
    assert record.read_bytes() == before
    run_training(file(**{"model.summary": "Another line"}), resume=True, progress=False)
    assert "Another line" in (tmp_path / "seed-1" / "model" / "model.yaml").read_text(encoding="utf-8")


def test_a_training_that_is_refused_does_not_change_what_was_begun(file, tmp_path):
    run_training(file(), progress=False)
    with pytest.raises(StoreError, match="checkpoint.safetensors is of an earlier training; go on with resume=True"):
        run_training(file(**{"objectives": [{"output": "discharge", "loss": "mae"}]}), progress=False)
    run_training(file(), resume=True, progress=False)


def test_the_card_tells_the_training_loss_of_the_epoch_whose_parameters_it_has(file, tmp_path):
    (trained,) = run_training(file(**{"epochs": 3, "optimiser.network_rate": 0.5}), progress=False)
    skill = json.loads((tmp_path / "seed-1" / "training.json").read_text(encoding="utf-8"))["skill"]
    assert skill["training_loss"] == trained.record.training[skill["best_epoch"] - 1]


def test_what_a_killed_training_left_half_written_is_removed(file, tmp_path):
    (tmp_path / "seed-1").mkdir()
    (tmp_path / "seed-1" / ".checkpoint.safetensors.1.2.tmp").write_bytes(b"half")
    run_training(file(), progress=False)
    assert not list((tmp_path / "seed-1").glob(".*.tmp"))


def test_two_trainings_do_not_share_a_folder(file, tmp_path):
    (tmp_path / "seed-1").mkdir()
    with open(tmp_path / "seed-1" / ".lock", "w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="seed-1: another process trains in it; wait, or take another folder"):
            run_training(file(), progress=False)


def test_a_folder_that_cannot_be_written_is_told_before_training(file, tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="seed-1 cannot be written: .*; name another folder"):
        run_training(file(folder=str(tmp_path / "taken")), progress=False)


def test_seeds_come_once(file):
    with pytest.raises(TrainFileError, match="seeds: expected each seed once"):
        file(seeds=[1, 1])
    with pytest.raises(TrainFileError, match="seeds 1, 1: expected each seed once"):
        run_training(file(), seeds=(1, 1), progress=False)


def test_periods_are_in_order_and_within_the_data(file):
    with pytest.raises(TrainFileError, match="training: expected a start before the end"):
        file(training={"start": "1985-01-01", "end": "1979-07-01"})
    with pytest.raises(TrainFileError, match=r"training: 1950-01-01 to 1985-01-01 is not within the forcing, which"):
        run_training(file(training={"start": "1950-01-01", "end": "1985-01-01"}), progress=False)


def test_names_of_inputs_that_are_not_there_are_told(file):
    with pytest.raises(TrainFileError, match=r"no input 'precipitation_flx' .* did you mean 'precipitation_flux'\?"):
        run_training(file(**{"samples.inputs": {"precipitation_flx": "P"}}), progress=False)


def test_a_file_that_is_a_list_is_told_with_changes_too(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n", encoding="utf-8")
    for changes in (None, {"epochs": 1}):
        with pytest.raises(TrainFileError, match="list.yaml"):
            load_train_file(path, changes)


def test_the_name_of_a_model_is_checked_before_training(file):
    with pytest.raises(TrainFileError, match="model.name: .*pattern"):
        file(**{"model.name": "../evil"})


def test_scoring_a_model_folder_where_it_was_trained_is_told(file, tmp_path, capsys):
    (trained,) = run_training(file(), progress=False)
    content = file()
    data = tmp_path / "data.yaml"
    data.write_text(json.dumps({key: content.data[key] for key in ("forcing", "observations") if key in content.data}))
    words = ["evaluate", str(trained.folder / "model"), "--data", str(data), "--output", "discharge", "--metric", "nse"]
    told = []
    for start, end in (("1985-01-01", "1985-07-01"), ("1988-01-01", "1988-07-01")):
        try:
            crest([*words, "--from", start, "--to", end])
        except SystemExit as left:
            assert not left.code
        told.append("was trained on 1979-07-01 to 1986-01-01" in " ".join(capsys.readouterr().err.split()))
    assert told == [True, False]
