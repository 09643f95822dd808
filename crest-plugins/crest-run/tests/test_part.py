"""RunPart: other files share graph and forcing with run files, and the words of their faults."""

import pytest
from crest_run import RunFileError, RunPart

from crest_core import PluginError

LINES = {(): 1, ("graph",): 3, ("graph", "components"): 4, ("forcing",): 9}


def test_unknown_keys_are_left_to_the_file_that_has_them(tmp_path):
    part = RunPart(str(tmp_path / "t.yaml"), {"forcing": {"path": "rain.nc"}, "epochs": 3}, LINES, seed=None)
    with pytest.raises(RunFileError, match=r"t\.yaml:9: forcing\.path: .*rain\.nc"):
        part.forcing()


def test_faults_are_told_by_file_line_and_key(tmp_path):
    with pytest.raises(RunFileError, match=r"t\.yaml:9: forcing: expected one of the keys source and path"):
        RunPart(str(tmp_path / "t.yaml"), {"forcing": {}}, LINES, seed=1)


def test_an_unknown_component_is_told_with_its_line(tmp_path):
    data = {"graph": {"components": {"river": {"use": "no-river"}}}, "forcing": {"path": "rain.nc"}}
    part = RunPart(str(tmp_path / "t.yaml"), data, LINES, seed=1)
    with pytest.raises(PluginError, match=r"t\.yaml:4: graph\.components\.river\.use: .*'no-river' is not installed"):
        part.graph()
