"""`crest new` at the command line: help, defaults, questions and errors."""

import os
import subprocess
import sys

import pytest

from crest_core import CrestError
from crest_core.plugins import registry

NEW = [sys.executable, "-m", "crest_core", "new"]


def crest_new(*arguments, folder):
    return subprocess.run([*NEW, *arguments], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_a_package_is_made_with_defaults_where_nobody_can_answer(tmp_path):
    result = crest_new("alpine-snow", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "src/alpine_snow/component.py   <- your model goes here" in result.stdout
    assert "pip install -e ./alpine-snow\n  crest check alpine-snow" in result.stdout
    assert 'license = "Apache-2.0"' in (tmp_path / "alpine-snow" / "pyproject.toml").read_text()


def test_the_help_teaches(tmp_path):
    text = crest_new("--help", folder=tmp_path).stdout
    assert "crest new my-model && pip install -e my-model && crest check my-model" in text
    assert "Degree-day snow in torch" in text and "Apache-2.0" in text
    assert (
        len({len(line) - len(line.lstrip()) for line in text.splitlines() if " LSTM" in line or " snow in" in line})
        == 1
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["My_Model"], "such as my-model"),
        (["snow", "--template", "julia"], "there are: torch, onnx"),
        (["snow", "--output", "nowhere"], "nowhere is no folder"),
    ],
)
def test_what_cannot_be_made_is_told_in_a_line(arguments, words, tmp_path):
    result = crest_new(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert words in result.stderr and "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_name_that_a_package_registers_is_refused(tmp_path, monkeypatch):
    from crest_templates import Package, render

    from crest_core.plugins import Entry, Registry

    taken = Registry((Entry("alpine-snow", "components", "", "someones-snow", "1.2", "math:pi"),))
    monkeypatch.setattr("crest_templates.package.registry", lambda: taken)
    with pytest.raises(CrestError, match="someones-snow 1.2 registers a component of this name; take another"):
        render(Package("alpine-snow"), tmp_path)


def test_the_command_is_registered():
    assert registry().load("cli_commands", "new").__name__ == "new"


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are of POSIX")
def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer(tmp_path):
    master, slave = os.openpty()
    command = subprocess.Popen([*NEW, "alpine-snow"], cwd=tmp_path, stdin=slave, stdout=subprocess.PIPE, text=True)
    os.close(slave)
    os.write(master, b"nump\nnumpy\nMIT\nOur group\n")
    output, _ = command.communicate(timeout=60)
    os.close(master)
    assert command.returncode == 0
    assert "Linear reservoir as a NumPy function" in output and "'nump' is unknown" in output
    text = (tmp_path / "alpine-snow" / "pyproject.toml").read_text()
    assert "crest-numpy" in text and 'license = "MIT"' in text and "Our group" in text
