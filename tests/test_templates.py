"""From `crest new` to a package that is installed, listed, checked and tested, with no edit in between.

`make check` does it for every template, from wheels, in fresh environments: tools/wheel_check.py.
"""

import json
import os
import subprocess
import sys

import packages
import pytest
from crest_templates import TEMPLATES

ROOT = packages.ROOT
TEMPLATE_FILES = ROOT / "crest-plugins" / "crest-templates" / "src" / "crest_templates" / "templates"


@pytest.mark.slow
def test_a_new_package_builds_is_listed_conforms_and_passes_its_tests(tmp_path):
    site = tmp_path / "site"
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}

    def python(*arguments):
        command = [sys.executable, "-m", *arguments]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    without_network = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    python("crest_core", "new", "my-model", "--template", "torch", "--yes")
    python("pip", "wheel", *without_network, "--wheel-dir", "wheels", "./my-model")
    (wheel,) = (tmp_path / "wheels").iterdir()
    assert wheel.name == "my_model-0.1.0-py3-none-any.whl"
    python("pip", "install", *without_network, "--target", str(site), str(wheel))
    rows = json.loads(python("crest_core", "list", "--json", "--kind", "components"))
    assert [(row["name"], row["error"]) for row in rows if row["distribution"] == "my-model"] == [("my-model", None)]
    assert "passed" in python("pytest", "-q", "-p", "no:cacheprovider", "my-model")


def test_every_template_needs_packages_of_this_workspace_or_of_the_constraints():
    own = {package.name for package in packages.find_packages()}
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for template in TEMPLATES.values():
        for requirement in template.requires:
            name = packages.requirement_name(requirement)
            assert name in own or packages.pinned(name, constraints)


def test_the_fortran_template_has_the_interface_of_crest_fortran():
    name = "crest_component.f90"
    copy = TEMPLATE_FILES / "fortran" / "src" / "{{module}}" / name
    original = ROOT / "crest-plugins" / "crest-fortran" / "src" / "crest_fortran" / "interface" / name
    assert copy.read_bytes() == original.read_bytes(), f"copy {original.relative_to(ROOT)} into the template"
