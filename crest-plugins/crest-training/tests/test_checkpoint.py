"""Checkpoints: a training that was killed anywhere goes on as if nothing had happened, bit for bit."""

import multiprocessing
import os
import signal
import sys
import time

import numpy as np
import pytest
import torch
from crest_training import Objective, Optimiser, train
from crest_training.checkpoint import FILE, Checkpoint
from crest_training.example import Network, example_batches, example_training

from crest_core import GradientError, StoreError

BATCHES = 3  # of an epoch
FLOWS = [Objective("flow")]


@pytest.fixture(scope="module")
def forks():
    """Return a context of processes that are forked from one which has imported torch and has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crest_training.example"])
    return context


def without_seconds(checkpoint: Checkpoint):
    history = {name: value for name, value in checkpoint.facts["history"].items() if name != "seconds"}
    return history, checkpoint.facts["best"]


def killed(folder, forks, epochs, seconds):
    """Train on in a process of its own, kill it so long after its first checkpoint; return whether it was at work."""
    process = forks.Process(target=example_training, args=(str(folder), epochs), kwargs={"resume": True})
    before = written(folder)
    process.start()
    while process.is_alive() and written(folder) == before:
        time.sleep(0.0005)
    time.sleep(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def written(folder):
    file = folder / FILE
    return file.stat().st_mtime_ns if file.exists() else 0


def check_kills(count, epochs, tmp_path, forks):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    process = forks.Process(target=example_training, args=(str(straight), epochs))
    process.start()
    process.join()
    assert process.exitcode == 0
    first = Checkpoint.load(straight)
    longest = first.facts["seconds"] / (count + 1)
    random = np.random.default_rng(20260101)
    hits = sum(killed(broken, forks, epochs, random.uniform(0, longest)) for _ in range(count))
    assert hits > count // 2, "most kills have to come while it trains"
    example_training(str(broken), epochs, resume=True)
    second = Checkpoint.load(broken)
    assert len(second.facts["history"]["batches"]) == epochs * BATCHES
    assert without_seconds(first) == without_seconds(second)
    for part in ("model", "best", "optimiser", "random", "loader"):
        assert all(torch.equal(value, second.part(part)[name]) for name, value in first.part(part).items()), part
    first_table, second_table = ((folder / "losses.csv").read_text().splitlines() for folder in (straight, broken))
    assert [line.rpartition(",")[0] for line in first_table] == [line.rpartition(",")[0] for line in second_table]


def test_killed_three_times_the_loss_curve_is_the_same_bit_for_bit(tmp_path, forks):
    check_kills(3, 8, tmp_path, forks)


@pytest.mark.slow
def test_killed_twenty_times_the_loss_curve_is_the_same_bit_for_bit(tmp_path, forks):
    check_kills(20, 40, tmp_path, forks)


def test_a_training_that_fails_in_the_middle_goes_on_from_the_last_checkpoint(tmp_path):
    def curve(folder, **options):
        optimiser = Optimiser(network_rate=0.01)
        loader = options.pop("loader", None) or example_batches(seed=1)
        options = {"folder": folder, "seed": 3, "checkpoint_every": 2, **options}
        return train(Network(dropout=0.2, seed=2), loader, FLOWS, epochs=4, optimiser=optimiser, **options)

    class Torn(type(example_batches(seed=1))):
        left = 7

        def at(self, chosen):
            self.left -= 1
            if not self.left:
                raise GradientError("the power is off")
            return super().at(chosen)

    whole = example_batches(seed=1)
    with pytest.raises(GradientError, match="the power is off"):
        curve(tmp_path / "torn", loader=Torn(whole.inputs, whole.targets, 4, 1))
    again = curve(tmp_path / "torn", resume=True)
    assert again.batches == curve(tmp_path / "straight").batches


def test_a_folder_of_an_earlier_training_is_not_overwritten(tmp_path):
    train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path)
    with pytest.raises(StoreError, match="is of an earlier training; go on with resume=True"):
        train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path)


def test_another_training_does_not_go_on_from_a_checkpoint(tmp_path):
    train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path)
    with pytest.raises(StoreError, match="of another training: epochs was 1, is 2; go on with the same"):
        train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=2, folder=tmp_path, resume=True)


def test_a_training_that_is_complete_is_returned_as_it_was(tmp_path):
    first = train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=2, folder=tmp_path)
    again = train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=2, folder=tmp_path, resume=True)
    assert (again.training, again.best_epoch) == (first.training, first.best_epoch)


def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path):
    train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match="cannot be read"):
        train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path, resume=True)


def test_event_files_without_their_library_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(StoreError, match="event files need tensorboardX: pip install tensorboardX"):
        train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=1, folder=tmp_path, events=True)


def test_event_files_hold_the_losses_of_each_epoch(tmp_path):
    from tensorboardX.proto.event_pb2 import Event

    record = train(Network(seed=1), example_batches(seed=1), FLOWS, epochs=3, folder=tmp_path, events=True)
    (file,) = (tmp_path / "events").iterdir()
    content, found = file.read_bytes(), []
    while content:  # a length of 8 bytes, its checksum of 4, the event, a checksum of 4
        length = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + length])
        found += [value.simple_value for value in event.summary.value if value.tag == "loss/training"]
        content = content[12 + length + 4 :]
    assert found == pytest.approx(record.training)
