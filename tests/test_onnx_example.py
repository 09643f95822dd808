"""The ONNX example runs: a network trained on observations leaves as a file and comes back the same."""

import subprocess
import sys
from pathlib import Path

import stages

SCRIPT = Path(__file__).resolve().parent.parent / "examples" / "onnx" / "soil_network.py"


def test_the_network_of_the_example_is_the_same_as_onnx_and_learns_on(tmp_path):
    command = [sys.executable, str(SCRIPT), "--epochs", "3"]
    result = subprocess.run(command, cwd=tmp_path, env=stages.test_variables(), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert float(lines[1].removeprefix("torch and ONNX differ by at most ")) < 1e-6
    assert [line.split("NSE")[0].strip() for line in lines if "NSE" in line] == [
        "ONNX component",
        "day-of-year climatology",
        "trained on, as ONNX",
    ]
