"""What is told of the import of a module, in a process that no other import has touched."""

import sys

import pytest

from crest_core.testing.probing import light_probe, probe


@pytest.fixture
def module(site):
    """Return the function that writes a module of a distribution of its own and gives its name."""

    def write(name, source):
        site.install(name, "", modules={"model": source})
        return f"{name}.model"

    return write


def test_an_import_sees_nothing_of_the_one_before(module):
    first = module("first", "import os\nos.environ['FIRST'] = 'yes'\nimport json\njson.spoilt = True\n")
    second = module("second", "import os, json\nassert 'FIRST' not in os.environ and not hasattr(json, 'spoilt')\n")
    assert list(probe(first)["changes"]) == ["environment"]
    assert probe(second)["changes"] == {} and "first.model" not in sys.modules


def test_torch_and_the_core_are_there_before_and_not_in_a_light_import(module):
    before = module("before", "import sys\nassert {'torch', 'crest_core.graph'} <= set(sys.modules)\n")
    assert probe(before)["seconds"] < 1.0
    assert light_probe(module("light", "import sys\nassert 'torch' not in sys.modules\n"))["heavy"] == []


def test_what_a_module_prints_and_reads_does_not_disturb_the_answer(module):
    loud = module("loud", "import os, sys\nprint('{')\nos.write(1, b'[')\nassert sys.stdin.read() == ''\n")
    assert probe(loud)["changes"] == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit('enough')", "SystemExit: enough"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "-9"),
    ],
)
def test_an_import_that_fails_is_told_and_the_next_one_is_not_harmed(module, source, words):
    broken = module("broken", f"{source}\n")
    text = probe(broken)
    assert text.startswith("broken.model cannot be imported by its name in a fresh process (") and words in text
    assert probe(module("sound", ""))["changes"] == {}


def test_a_name_that_is_none_is_told():
    assert probe("no-name") == "no-name cannot be imported by its name"
