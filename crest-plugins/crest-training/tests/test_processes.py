"""Several processes train as one does: the same losses, one checkpoint, one writer. Slow: they start interpreters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from crest_training.processes import Processes, joined_processes, present_processes

from crest_core import CrestError

SCRIPT = """
import json, sys
import torch
from crest_training import Objective, Optimiser, train
from crest_training.example import Network, RiverBatch, RiverLoader, example_flow, example_rain
from crest_training.processes import joined_processes

folder, dropout, stop, resume = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "resume"


class Shared:
    # The loader of the example, of which each process takes its share.
    def __init__(self, loader, share):
        self.loader, self.share, self.given = loader, share, 0

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        for batch in self.loader:
            self.given += 1
            if self.given == stop:
                raise InterruptedError("stopped by the test")
            number, count = self.share
            inputs, targets = ({n: v[:, number::count] for n, v in s.items()} for s in (batch.inputs, batch.targets))
            yield RiverBatch(inputs, targets, batch.place[number::count])

    def state(self):
        return self.loader.state()

    def restore(self, state):
        self.loader.restore(state)


with joined_processes() as processes:
    rain = example_rain()
    flow = example_flow(rain)[10:]
    flow[::3, 0], flow[5:40, 3] = float("nan"), float("nan")  # so that shares hold different numbers of observations
    made = lambda seed: Shared(RiverLoader({"rain": rain}, {"flow": flow}, 4, seed=seed), processes.share)
    model = Network(seed=5 + processes.number, dropout=dropout)  # the parameters of the first count
    record = train(
        model, made(1), [Objective("flow")], epochs=4, optimiser=Optimiser(network_rate=0.01), validation=made(2),
        seed=3, folder=folder, resume=resume, checkpoint_every=2, progress=False, events=False,
    )
    weights = torch.cat([value.reshape(-1) for value in model.state_dict().values()]).tolist()
    told = {"batches": record.batches, "validation": record.validation, "weights": weights}
    open(f"{folder}-{processes.number}.json", "w").write(json.dumps(told))
"""


def launched(folder: Path, count: int, *, dropout=0.0, stop=0, resume=False) -> list[dict]:
    """Return what each process told; [] where they were stopped."""
    script = folder.parent / "train.py"
    script.write_text(SCRIPT, encoding="utf-8")
    words = [str(script), str(folder), str(dropout), str(stop), "resume" if resume else "anew"]
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    done = subprocess.run(
        [sys.executable, *start, *words], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    if stop:
        assert done.returncode != 0 and "stopped by the test" in done.stderr
        return []
    assert done.returncode == 0, done.stderr
    return [json.loads(Path(f"{folder}-{number}.json").read_text()) for number in range(count)]


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one(tmp_path):
    """To the rounding of float32: sums are taken in another order. Parameters of both are the same, bit for bit."""
    (one,) = launched(tmp_path / "one", 1)
    first, second = launched(tmp_path / "two", 2)
    assert first == second
    np.testing.assert_allclose(first["batches"], one["batches"], rtol=1e-4)
    np.testing.assert_allclose(first["validation"], one["validation"], rtol=1e-4)
    np.testing.assert_allclose(first["weights"], one["weights"], atol=1e-4)


@pytest.mark.slow
def test_two_processes_go_on_from_one_checkpoint_bit_for_bit_with_dropout(tmp_path):
    whole = launched(tmp_path / "whole", 2, dropout=0.3)
    launched(tmp_path / "again", 2, dropout=0.3, stop=8)
    assert launched(tmp_path / "again", 2, dropout=0.3, resume=True) == whole
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["checkpoint.safetensors", "losses.csv"]


def test_one_process_alone_sums_nothing():
    with joined_processes() as alone:
        assert alone == present_processes() == Processes(0, 1) and alone.is_first and alone.share == (0, 1)
    model = torch.nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    before = model.weight.grad
    alone.sum_gradients(list(model.parameters()))
    assert model.weight.grad is before and alone.seed(7) == 7 and Processes(1, 2).seed(7) != 7


def test_processes_on_several_machines_are_told(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with (
        pytest.raises(CrestError, match="4 processes on several machines; expected all on one, as torchrun --nproc"),
        joined_processes(),
    ):
        pass
