"""torchrun: two processes with half the batch train as one does, and one of them writes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import packages
import pytest

EXAMPLE = packages.ROOT / "examples" / "training" / "fulda.yaml"
SHORT = ("epochs=2", "samples.every=40", "network.hidden=4", "network.dropout=0.0", "seeds=[1]")


def crest_train(file: Path, *changes: str, processes: int, resume: bool = False) -> str:
    """Run the command and return what was printed."""
    words = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes > 1 else []
    words += [str(Path(sys.executable).with_name("crest")), "train", str(file), *["--resume"] * resume]
    sets = [word for change in (*SHORT, *changes) for word in ("--set", change)]
    done = subprocess.run(
        [sys.executable, *words, *sets], env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(folder: Path) -> np.ndarray:
    with open(folder / "losses.csv", encoding="utf-8") as file:
        return np.array([[float(row["training_loss"]), float(row["validation_loss"])] for row in csv.DictReader(file)])


@pytest.mark.slow
def test_a_file_is_trained_by_two_processes_as_by_one(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    crest_train(file, "samples.batch=16", "folder=one", processes=1)
    told = crest_train(file, "samples.batch=8", "folder=two", processes=2)
    one, two = (losses(tmp_path / name / "seed-1") for name in ("one", "two"))
    np.testing.assert_allclose(two, one, rtol=1e-4)
    assert told.count("two/seed-1: validation loss") == 1
    written = sorted(path.name for path in (tmp_path / "two" / "seed-1").iterdir())
    assert written == [".lock", "begun.json", "checkpoint.safetensors", "losses.csv", "model", "training.json"]

    crest_train(file, "samples.batch=8", "folder=two", processes=2, resume=True)
    assert losses(tmp_path / "two" / "seed-1").tolist() == two.tolist()
