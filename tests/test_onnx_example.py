"""The ONNX example runs: a network trained on observations leaves as a file and comes back the same."""

import runpy
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "onnx" / "soil_network.py"


def test_the_network_of_the_example_is_the_same_as_onnx_and_learns_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--epochs", "3"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[1].removeprefix("torch and ONNX differ by at most ")) < 1e-6
    assert [line.split("NSE")[0].strip() for line in lines if "NSE" in line] == [
        "ONNX component",
        "day-of-year climatology",
        "trained on, as ONNX",
    ]
