"""A failure leads to the author's line, and its remedy is one for what the author has."""

import json
from pathlib import Path

import pytest
import torch

from crest_core import FieldError, StateError
from crest_core.cli import main
from crest_core.testing import NumpyBucket, TorchBucket, check_component
from crest_core.testing.origin import origin

HERE = Path(__file__)
NAMED = "class Typo(TorchBucket):\n    def step(self, state, inputs, time):\n        return storrage, state\n"


class Misspelt(TorchBucket):
    """Breaks off in a function of its own, below that of the core which calls it."""

    def step(self, state, inputs, time):
        return sorted(inputs, key=self.order), state

    def order(self, name):
        raise ZeroDivisionError("no order")


class Refuses(TorchBucket):
    """Raises an error of CREST, whose message says what to do."""

    def initial_state(self, sizes):
        try:
            {}["storage"]
        except KeyError as error:
            raise StateError("storage is unknown; give it") from error


class Torn(NumpyBucket):
    """Rounds, which small differences do not see."""

    def evaluate(self, state, inputs, parameters):
        outputs, after = super().evaluate(state, inputs, parameters)
        return outputs | {"runoff": torch.round(outputs["runoff"], decimals=1)}, after


def failures(component, stage):
    return {result.check.id: result for result in check_component(component, stages=[stage], seed=11).failures}


def line_of(text):
    return 1 + next(number for number, line in enumerate(HERE.read_text().splitlines()) if text in line)


def test_an_error_leads_to_the_last_line_of_the_author(monkeypatch):
    monkeypatch.chdir(HERE.parent)
    failure = failures(Misspelt, "shapes")["shapes.step"]
    line = line_of("raise Zero" + "DivisionError")
    assert failure.text == f"ZeroDivisionError: no order (at test_origin.py:{line}, in order)"
    assert failure.fix == "mend what raises it; CREST_TRACEBACK=1 shows the whole traceback"


def test_an_error_of_crest_says_itself_what_to_do_and_leads_to_what_happened_first(monkeypatch):
    monkeypatch.chdir(HERE.parent)
    failure = failures(Refuses, "shapes")["shapes.initial-state"]
    line = line_of('{}["stor' + 'age"]')
    assert failure.text == f"StateError: storage is unknown; give it (at test_origin.py:{line}, in initial_state)"
    assert failure.fix.startswith("do what the message says; ")
    rows = json.loads(check_component(Refuses, stages=["shapes"]).to_json())["results"]
    assert failure.fix in [row["fix"] for row in rows if row["outcome"] == "fail"]


def test_an_error_without_a_line_of_the_author_keeps_the_fix_of_the_check():
    def build(size):
        return TorchBucket(size)

    failure = failures(build, "build")["build.factory"]
    assert failure.text == f"TypeError: {failure.text.partition(': ')[2]}" and "(at " not in failure.text
    assert failure.fix.startswith("give every argument of __init__ a default, or name it")


def test_frames_of_libraries_and_of_crest_are_nobodys_unless_the_package_is_named():
    with pytest.raises(FieldError) as caught:
        check_component(TorchBucket, conserves=["water: rain - runoff"])
    caught.value.__traceback__ = caught.value.__traceback__.tb_next
    assert origin(caught.value) == ""
    assert "testing/balance.py:" in origin(caught.value, {"crest_core"})


def test_the_remedy_of_a_black_box_speaks_of_no_tape():
    black = failures(Torn, "gradients")["gradients.dry"]
    assert black.fix.startswith("finite differences miss jumps and bends within a step: make it smooth there")
    assert "torch" not in black.fix and black.fix != black.check.fix


def test_the_command_shows_the_line_and_the_traceback_where_the_environment_asks_for_it(tmp_path, monkeypatch, capfd):
    def check():
        with pytest.raises(SystemExit):
            main(["check", "own_model:Typo", "--stage", "shapes", "--json"])
        return capfd.readouterr()

    (tmp_path / "own_model.py").write_text(f"from crest_core.testing.models import TorchBucket\n\n\n{NAMED}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("CREST_TRACEBACK", raising=False)
    monkeypatch.setenv("CREST_PLUGINS", "core")
    done = check()
    (failure, *_) = [row for row in json.loads(done.out)["results"] if row["outcome"] == "fail"]
    assert failure["text"] == "NameError: name 'storrage' is not defined (at own_model.py:6, in step)"
    assert failure["fix"].startswith("mend what raises it; CREST_TRACEBACK=1")
    assert "Traceback" not in done.err
    monkeypatch.setenv("CREST_TRACEBACK", "1")
    traced = check().err
    assert "Traceback (most recent call last)" in traced and "return storrage, state" in traced
