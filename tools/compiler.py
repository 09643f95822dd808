"""Find a Fortran compiler, install one where that is allowed, or say the line to type."""

from __future__ import annotations

import os
import shutil
import sys

from commands import EnvironmentProblem, run_logged, stage

LINES_TO_TYPE = {
    "darwin": "brew install gcc",
    "win32": "conda install -c conda-forge m2w64-gcc-fortran",
    "linux": "sudo apt-get install -y gfortran    (Fedora: sudo dnf install -y gcc-gfortran)",
}


def require_fortran_compiler() -> None:
    """Make sure that a Fortran compiler is there; on Debian as root it is installed."""
    if find_fortran_compiler():
        return
    if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
        stage("no Fortran compiler found; installing gfortran", _apt_install_gfortran)
    if not find_fortran_compiler():
        raise EnvironmentProblem(compiler_missing_message(sys.platform, os.environ.get("FC", "")))


def find_fortran_compiler() -> str | None:
    """Return the compiler that CMake will take: $FC, or gfortran, flang or ifx on the path."""
    named = os.environ.get("FC", "")
    candidates = [named] if named else ["gfortran", "flang", "flang-new", "ifx"]
    return next((found for name in candidates if (found := shutil.which(name))), None)


def compiler_missing_message(platform: str, named: str = "") -> str:
    """Return the one line to type on this platform; `named` is the compiler in $FC, if any."""
    if named:
        return f"FC={named} is no program on the path; type: unset FC    (or name another one)"
    line = LINES_TO_TYPE.get(platform, LINES_TO_TYPE["linux"])
    return f"no Fortran compiler was found; type the next line, then the same command again\n{line}"


def _apt_install_gfortran() -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_logged(["apt-get", "update"], quiet)
    run_logged(["apt-get", "install", "-y", "--no-install-recommends", "gfortran"], quiet)
