"""What the author of a model on arrays writes, and what is there."""

import re
from pathlib import Path

import crest_bmi
from bmipy import Bmi
from crest_bmi import ArrayBmi, ArrayVariable

OWN = {"get_component_name", "initialize"}
PACKAGE = Path(crest_bmi.__file__).parent


def test_the_author_writes_two_functions_of_the_interface_and_the_step():
    functions = {name for name in dir(Bmi) if not name.startswith("_")}
    written = {name for name in functions if getattr(ArrayBmi, name) is not getattr(Bmi, name)}
    assert functions - written == OWN
    assert ArrayBmi.__abstractmethods__ == {*OWN, "advance"}
    text = (PACKAGE / "array_bmi.py").read_text(encoding="utf-8")
    assert re.findall(r"(\d+) of the (\d+) functions", text) == [(str(len(written)), str(len(functions)))]


def test_variables_are_public_and_settable_unless_told():
    assert {"ArrayBmi", "ArrayVariable"} <= set(dir(crest_bmi))
    assert ArrayVariable([1.0], "mm") == ([1.0], "mm", 0, True)
