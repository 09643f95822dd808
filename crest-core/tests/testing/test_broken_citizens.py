"""Components that disturb the process they run in: each is told by its own check, and the process is put back."""

import gc
import os
import signal
import sys
import tempfile
import threading
import warnings

import numpy as np
import pytest
import torch

from crest_core.testing import TorchBucket
from crest_core.testing.surroundings import changes, look


class Disturbing(TorchBucket):
    """A bucket that does something beside, at each step."""

    def disturb(self):
        pass

    def step(self, state, inputs, time):
        self.disturb()
        return super().step(state, inputs, time)


class Draws(Disturbing):
    def disturb(self):
        torch.rand(1)


class DrawsFromNumpy(Disturbing):
    def disturb(self):
        np.random.random()


class SetsThreads(Disturbing):
    def disturb(self):
        torch.set_num_threads(7)


class SetsDefaultType(Disturbing):
    def disturb(self):
        torch.set_default_dtype(torch.float64)


class SwitchesGradientsOff(TorchBucket):
    def sequence(self, state, inputs, times):
        results = super().sequence(state, inputs, times)
        torch.set_grad_enabled(False)
        return results


class TakesSignals(Disturbing):
    def disturb(self):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)


class HidesWarnings(Disturbing):
    def disturb(self):
        warnings.simplefilter("ignore", ResourceWarning)


class ChangesFolder(Disturbing):
    def disturb(self):
        os.chdir(tempfile.gettempdir())


class SetsEnvironment(Disturbing):
    def disturb(self):
        os.environ["LAND_MODEL_READY"] = "1"


class SilencesNumpy(Disturbing):
    def disturb(self):
        np.seterr(all="ignore")


class FlushesDenormals(Disturbing):
    def disturb(self):
        torch.set_flush_denormal(True)


class AddsToPath(Disturbing):
    def disturb(self):
        sys.path.append("land-model")


class WritesLog(Disturbing):
    def disturb(self):
        with open("debug.log", "a", encoding="utf-8") as file:
            file.write("step\n")


class LeaksFiles(TorchBucket):
    def __init__(self):
        super().__init__()
        OPENED.append(os.open(os.devnull, os.O_RDONLY))


class LeavesThread(TorchBucket):
    def __init__(self):
        super().__init__()
        threading.Thread(target=STOP.wait, daemon=True).start()


class Prints(Disturbing):
    def disturb(self):
        print("step")


OPENED: list[int] = []
STOP = threading.Event()
DISTURBED = {
    Draws: "random-streams",
    DrawsFromNumpy: "random-streams",
    SetsThreads: "torch-threads",
    SetsDefaultType: "torch-defaults",
    SwitchesGradientsOff: "gradient-mode",
    TakesSignals: "signal-handlers",
    HidesWarnings: "warnings-filters",
    ChangesFolder: "working-folder",
    SetsEnvironment: "environment",
    SilencesNumpy: "number-handling",
    FlushesDenormals: "number-handling",
    AddsToPath: "interpreter",
    WritesLog: "writes-nothing",
    LeaksFiles: "open-files",
    LeavesThread: "threads",
}
FAILING = {component: {f"citizen.{name}"} for component, name in DISTURBED.items()}
WARNING = {Prints: {"citizen.quiet", "packaging.docstring"}}


@pytest.fixture(autouse=True)
def clean_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    STOP.set()
    STOP.clear()
    while OPENED:
        os.close(OPENED.pop())
    gc.collect()


@pytest.mark.parametrize("component", FAILING, ids=lambda kind: kind.__name__)
def test_a_disturbance_is_told_by_its_own_check_and_put_back(component, broken_rules):
    before = look()
    failed, warned = broken_rules(component)
    assert (failed, warned) == (FAILING[component], {"packaging.docstring"})
    assert changes(before, look()) == {}


@pytest.mark.parametrize("component", WARNING, ids=lambda kind: kind.__name__)
def test_printing_is_a_warning(component, broken_rules):
    assert broken_rules(component) == (set(), WARNING[component])
