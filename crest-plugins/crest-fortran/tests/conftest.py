"""Compiles small Fortran and C libraries; a missing compiler is a failure."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from crest_fortran import interface_file

# A library that does what its input "order" says, before it advances a linear reservoir.
RESERVOIR = """
module reservoir
  use, intrinsic :: iso_c_binding
  use, intrinsic :: ieee_exceptions
  use crest_component
  implicit none
  interface
    subroutine c_abort() bind(C, name="abort")
    end subroutine c_abort
    integer(c_int) function c_sleep(seconds) bind(C, name="sleep")
      import :: c_int
      integer(c_int), value :: seconds
    end function c_sleep
  end interface
contains
  integer(c_int32_t) function describe_model(model) bind(C, name="crest_describe_model")
    type(crest_model), intent(inout) :: model
    call crest_set_model(model, "reservoir", "2.3", 6)
    describe_model = 0
  end function describe_model

  integer(c_int32_t) function describe_field(i, field) bind(C, name="crest_describe_field")
    integer(c_int32_t), value :: i
    type(crest_field), intent(inout) :: field
    describe_field = 0
    select case (i)
    case (1)
      call crest_set_field(field, CREST_INPUT, "rain", "mm day-1")
    case (2)
      call crest_set_field(field, CREST_INPUT, "order", "1")
    case (3)
      call crest_set_field(field, CREST_STATE, "water", "mm", levels=2, initial=[10.0_c_double, 20.0_c_double], &
        cell_methods="time: point", lower=0.0_c_double, upper=1000.0_c_double)
    case (4)
      call crest_set_field(field, CREST_OUTPUT, "water", "mm", levels=2, cell_methods="time: point", &
        lower=0.0_c_double, upper=1000.0_c_double)
    case (5)
      call crest_set_field(field, CREST_OUTPUT, "flow", "mm day-1")
    case (6)
      call crest_set_field(field, CREST_PARAMETER, "share", "1", lower=0.0_c_double, upper=1.0_c_double, &
        initial=[0.5_c_double])
    end select
  end function describe_field

  integer(c_int32_t) function step(columns, dt, parameters, inputs, state_in, state_out, outputs) &
      bind(C, name="crest_step")
    integer(c_int32_t), value :: columns
    real(c_double), value :: dt
    real(c_double), intent(in) :: parameters(columns, *), inputs(columns, *), state_in(columns, *)
    real(c_double), intent(out) :: state_out(columns, *), outputs(columns, *)
    real(c_double), pointer :: nowhere
    real(c_double) :: days
    integer :: i
    step = 0
    days = dt / 86400.0_c_double
    select case (nint(inputs(1, 2)))
    case (1)
      stop
    case (2)
      error stop "the soil is on fire"
    case (3)
      call c_f_pointer(transfer(8_c_intptr_t, c_null_ptr), nowhere)
      nowhere = 1.0_c_double
    case (4)
      call ieee_set_halting_mode(ieee_divide_by_zero, .true.)
      outputs(1, 3) = 1.0_c_double / (inputs(1, 2) - 4.0_c_double)
    case (5)
      call c_abort()
    case (6)
      do i = 1, 100
        if (c_sleep(100) > 0) continue
      end do
    case (7)
      step = 42
      return
    end select
    do i = 1, columns
      outputs(i, 3) = parameters(i, 1) * sum(state_in(i, 1:2))
      state_out(i, 1:2) = (1.0_c_double - parameters(i, 1) * days) * state_in(i, 1:2)
      state_out(i, 1) = state_out(i, 1) + inputs(i, 1) * days
      if (nint(inputs(i, 2)) == 8) state_out(i, 1) = sqrt(-state_out(i, 1))
      if (nint(inputs(i, 2)) == 9) state_out(i, 2) = 5000.0_c_double
      outputs(i, 1:2) = state_out(i, 1:2)
    end do
  end function step

  subroutine message(status, length, text) bind(C, name="crest_message")
    integer(c_int32_t), value :: status, length
    character(kind=c_char), intent(out) :: text(length)
    text = " "
    text(1:9) = ["t", "o", "o", " ", "m", "u", "c", "h", "!"]
  end subroutine message
end module reservoir
"""
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return a function that compiles a source text (name.f90 or name.c) and returns the library."""

    def compile_library(name: str, source: str) -> Path:
        folder = tmp_path_factory.mktemp("library")
        file = folder / name
        file.write_text(source)
        library = file.with_suffix(".so")
        header = interface_file("crest_component.h").parent
        compiler = ["gcc", f"-I{header}"]
        if file.suffix == ".f90":
            compiler = ["gfortran", f"-J{folder}", str(interface_file("crest_component.f90"))]
        subprocess.run([*compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(file)], check=True)
        return library

    return compile_library


@pytest.fixture(scope="session")
def reservoir(build: Build) -> Path:
    """Return a linear reservoir in two levels that can be ordered to misbehave."""
    return build("reservoir.f90", RESERVOIR)
