"""What tools/bootstrap.py decides, on made-up workspaces: no package is installed here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import commands
import compiler
import environment
import packages
import pytest
import stages
import tasks

PURE = """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[project]
name = "{name}"
version = "0.1.0"
dependencies = [{dependencies}]
[project.optional-dependencies]
test = ["pytest>=8"]
"""
COMPILED = PURE.replace("hatchling.build", "scikit_build_core.build")


def add_package(root: Path, folder: str, text: str, dependencies: str = "") -> packages.Package:
    where = root / folder
    (where / "src").mkdir(parents=True)
    content = text.format(name=where.name, dependencies=dependencies)
    (where / "pyproject.toml").write_text(content, encoding="utf-8")
    (where / "src" / "model.f90").write_text("end", encoding="utf-8")
    return packages.read_package(where / "pyproject.toml")


def test_packages_are_found_with_the_core_first(tmp_path):
    add_package(tmp_path, "terrahydro-plugins/terrahydro-b", PURE)
    add_package(tmp_path, "crest-plugins/crest-a", PURE)
    add_package(tmp_path, "crest-core", PURE)
    (tmp_path / "crest-plugins" / "no-package").mkdir()
    found = [package.name for package in packages.find_packages(tmp_path)]
    assert found == ["crest-core", "crest-a", "terrahydro-b"]


def test_third_party_leaves_out_our_own_packages_and_keeps_extras_and_groups(tmp_path):
    core = add_package(tmp_path, "crest-core", PURE, '"torch>=2"')
    plugin = add_package(tmp_path, "crest-plugins/crest-a", PURE, '"Crest_Core[plot]>=0.1", "cffi"')
    outside = packages.third_party([core, plugin], {"lint": ["ruff>=0.9"]})
    assert outside == ["cffi", "hatchling>=1.27", "pytest>=8", "ruff>=0.9", "torch>=2"]


def test_an_invalid_pyproject_is_named(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project", encoding="utf-8")
    with pytest.raises(ValueError, match=r"pyproject.toml is not valid TOML"):
        packages.read_package(tmp_path / "pyproject.toml")
    (tmp_path / "pyproject.toml").write_text("[project]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"lacks the key 'build-system'"):
        packages.read_package(tmp_path / "pyproject.toml")


def test_a_missing_pin_says_what_to_add():
    with pytest.raises(ValueError, match=r"no line for torch; add torch==VERSION"):
        packages.pinned("torch", "numpy==2\n# torch==1\n")


def test_a_line_without_a_name_is_refused():
    with pytest.raises(ValueError, match=r"does not begin with the name of a distribution"):
        packages.requirement_name("==2.0")


def test_a_pure_package_is_installed_again_only_when_its_metadata_changes(tmp_path):
    package = add_package(tmp_path, "crest-core", PURE)
    before = packages.fingerprint(package)
    (package.folder / "src" / "model.f90").write_text("program x", encoding="utf-8")
    assert packages.fingerprint(package) == before
    (package.folder / "pyproject.toml").write_text("changed", encoding="utf-8")
    assert packages.fingerprint(package) != before


def test_a_compiled_package_is_installed_again_when_a_source_changes_but_not_a_test(tmp_path):
    package = add_package(tmp_path, "crest-plugins/crest-a", COMPILED)
    before = packages.fingerprint(package)
    for left_out in ("tests/test_a.py", "build/x/a.f90", "src/__pycache__/a.py", ".cache/a"):
        (package.folder / left_out).parent.mkdir(parents=True, exist_ok=True)
        (package.folder / left_out).write_text("new", encoding="utf-8")
    assert packages.fingerprint(package) == before
    (package.folder / "src" / "model.f90").write_text("program x", encoding="utf-8")
    assert packages.fingerprint(package) != before


def test_compiled_packages_are_installed_as_copies_and_pure_ones_in_place(tmp_path):
    pure = add_package(tmp_path, "crest-core", PURE)
    compiled = add_package(tmp_path, "crest-plugins/crest-a", COMPILED)
    arguments = environment.install_arguments([pure, compiled])
    assert arguments[-3:] == ["-e", str(pure.folder), str(compiled.folder)]
    assert {"--no-deps", "--no-build-isolation"} <= set(arguments)


def test_a_stamp_is_read_back_and_a_broken_one_is_empty(tmp_path):
    file = tmp_path / "stamp.json"
    assert environment.read_stamp(file) == {}
    environment.write_stamp(file, {"packages": {}})
    assert environment.read_stamp(file) == {"packages": {}}
    for broken in ("{", "[1]"):
        file.write_text(broken, encoding="utf-8")
        assert environment.read_stamp(file) == {}


def test_an_installation_that_was_cut_off_starts_over(capsys):
    base = environment.interpreter()
    assert not environment.must_start_over({"base": base})
    assert environment.must_start_over({"base": base, "cut_off_in": "installing packages"})
    assert "cut off in the middle of installing packages" in capsys.readouterr().out
    assert environment.must_start_over({"base": "another Python"})
    assert environment.must_start_over({})


def test_other_pythons_cannot_reach_into_the_environment(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "mirror")
    clean = environment.clean_environment()
    assert "PYTHONPATH" not in clean and "PIP_USER" not in clean
    assert clean["PIP_INDEX_URL"] == "mirror"


def test_a_failure_shows_the_end_of_the_output_and_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "LOG", tmp_path / "log" / "bootstrap.log")
    script = "for i in range(99): print('line', i)\nraise SystemExit(3)"
    with pytest.raises(commands.EnvironmentProblem) as caught:
        commands.run_logged([sys.executable, "-c", script])
    message = str(caught.value)
    assert "ended with status 3" in message and "bootstrap.log" in message
    assert "line 98" in message and "line 1\n" not in message
    assert "network" not in message


def test_a_command_that_was_killed_counts_as_an_interruption(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "LOG", tmp_path / "log" / "bootstrap.log")
    with pytest.raises(KeyboardInterrupt):
        commands.run_logged([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])


def test_a_missing_network_is_named_with_its_remedy():
    output = "Could not find a version that satisfies torch (from versions: none)"
    message = commands.failure_message(["pip", "install"], 1, output)
    assert "could not reach a package index" in message and "PIP_FIND_LINKS" in message


def test_a_missing_compiler_or_venv_module_gives_one_line_to_type():
    mac = compiler.compiler_missing_message("darwin")
    debian = compiler.compiler_missing_message("linux")
    no_venv = environment.venv_missing_message((3, 11))
    assert mac.splitlines()[1] == "brew install gcc"
    assert debian.splitlines()[1].startswith("sudo apt-get install -y gfortran")
    assert no_venv.splitlines()[1] == "sudo apt-get install -y python3.11-venv"
    assert "FC=nope is no program" in compiler.compiler_missing_message("linux", named="nope")


def test_the_compiler_named_by_fc_is_taken(monkeypatch):
    monkeypatch.setenv("FC", sys.executable)
    assert compiler.find_fortran_compiler() == sys.executable
    monkeypatch.setenv("FC", "no-such-compiler")
    assert compiler.find_fortran_compiler() is None


@pytest.mark.skipif(os.name != "posix", reason="apt-get and users exist on posix only")
@pytest.mark.parametrize(("user", "installed"), [(0, True), (1000, False)])
def test_a_missing_compiler_is_installed_for_root_on_debian_only(tmp_path, monkeypatch, capsys, user, installed):
    """A stand-in for apt-get makes an empty gfortran beside itself."""
    programs = tmp_path / "programs"
    programs.mkdir()
    apt = programs / "apt-get"
    apt.write_text(
        f'#!/bin/sh\n[ "$1" = update ] && exit 0\n: > {programs}/gfortran\n'
        f"{shutil.which('chmod')} +x {programs}/gfortran\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("FC", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(commands, "LOG", tmp_path / "log" / "bootstrap.log")
    if installed:
        compiler.require_fortran_compiler()
        assert compiler.find_fortran_compiler() == str(programs / "gfortran")
        assert "installing gfortran" in capsys.readouterr().out
    else:
        with pytest.raises(commands.EnvironmentProblem, match="no Fortran compiler was found"):
            compiler.require_fortran_compiler()


def test_tests_run_in_two_processes_unless_a_debugger_or_one_core_forbids_it():
    assert "-n" in stages.pytest_command(["-k", "balance"], cores=2)
    assert "-n" not in stages.pytest_command(["--pdb"], cores=2)
    assert "-n" not in stages.pytest_command([], cores=1)


def test_benchmark_lines_are_json_objects_with_all_keys():
    keys = '"name": "a", "value": 1, "unit": "us", "ratio": 1, "interval": [1, 1], "baseline": "b"'
    assert stages.benchmark_line_problem("{" + keys + "}") == ""
    assert stages.benchmark_line_problem("3 us") == "is not JSON"
    assert stages.benchmark_line_problem("3") == "is not a JSON object"
    assert stages.benchmark_line_problem('{"name": "a"}').startswith("lacks baseline, interval")


def test_the_summary_has_one_line_per_stage():
    table = stages.summary_table([("lint", True, 1.25), ("slow-tests", False, 70.0)])
    assert table.splitlines() == ["lint        passed      1.2 s", "slow-tests  FAILED     70.0 s"]


def test_an_unknown_task_prints_the_usage(capsys):
    assert tasks.run_task(["tets"]) == 2
    assert "usage: bootstrap.py env | demo" in capsys.readouterr().out


def test_an_old_python_is_told_what_to_do():
    script = (
        "import sys; sys.version_info = (3, 9, 2); sys.path.insert(0, 'tools'); import bootstrap; "
        "sys.exit(bootstrap.main(['test']))"
    )
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, cwd=packages.ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert "CREST needs Python 3.11 or newer, this is 3.9.2" in result.stderr
    assert "make PYTHON=" in result.stderr
