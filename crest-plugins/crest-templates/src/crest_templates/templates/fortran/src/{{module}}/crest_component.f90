!> CREST C interface 1 for Fortran: compile this file with your model; see crest_component.h for the meaning.
!>
!> Your library adds three functions, bind(C): crest_describe_model, crest_describe_field and crest_step.
!> crest_api_version is in this module. Licence Apache-2.0; copy this file into your project.
module crest_component
  use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int32_t
  implicit none
  private
  public :: crest_model, crest_field, crest_set_model, crest_set_field, crest_step_interface, crest_pullback_interface
  public :: CREST_INPUT, CREST_OUTPUT, CREST_STATE, CREST_PARAMETER

  integer(c_int32_t), parameter :: CREST_API = 1
  integer(c_int32_t), parameter :: CREST_INPUT = 1, CREST_OUTPUT = 2, CREST_STATE = 3, CREST_PARAMETER = 4

  type, bind(C) :: crest_model
    integer(c_int32_t) :: field_count, opaque
    character(kind=c_char) :: name(64), version(64), doc(256)
  end type crest_model

  type, bind(C) :: crest_field
    integer(c_int32_t) :: kind, levels, is_static, reserved
    real(c_double) :: lower, upper, top, bottom, initial(64)
    character(kind=c_char) :: name(64), units(64), standard_name(128), cell_methods(32), level_dim(32), doc(256)
  end type crest_field

  abstract interface
    !> What your crest_step looks like; a field with n levels takes n places of the second dimension.
    integer(c_int32_t) function crest_step_interface(columns, dt, parameters, inputs, state_in, state_out, outputs) &
        bind(C)
      import :: c_int32_t, c_double
      integer(c_int32_t), value :: columns
      real(c_double), value :: dt  !< length of the step [s]
      real(c_double), intent(in) :: parameters(columns, *), inputs(columns, *), state_in(columns, *)
      real(c_double), intent(out) :: state_out(columns, *), outputs(columns, *)
    end function crest_step_interface
    !> What your crest_pullback looks like, if you have one: the adjoint of crest_step.
    integer(c_int32_t) function crest_pullback_interface(columns, dt, parameters, inputs, state_in, d_state_out, &
        d_outputs, d_parameters, d_inputs, d_state_in) bind(C)
      import :: c_int32_t, c_double
      integer(c_int32_t), value :: columns
      real(c_double), value :: dt
      real(c_double), intent(in) :: parameters(columns, *), inputs(columns, *), state_in(columns, *)
      real(c_double), intent(in) :: d_state_out(columns, *), d_outputs(columns, *)
      real(c_double), intent(out) :: d_parameters(columns, *), d_inputs(columns, *), d_state_in(columns, *)
    end function crest_pullback_interface
  end interface

contains

  integer(c_int32_t) function crest_api_version() bind(C, name="crest_api_version")
    crest_api_version = CREST_API
  end function crest_api_version

  !> Fill the description of the model.
  subroutine crest_set_model(model, name, version, field_count, doc, opaque)
    type(crest_model), intent(inout) :: model
    character(len=*), intent(in) :: name, version
    integer, intent(in) :: field_count
    character(len=*), intent(in), optional :: doc
    logical, intent(in), optional :: opaque
    call put(model%name, name)
    call put(model%version, version)
    model%field_count = int(field_count, c_int32_t)
    if (present(doc)) call put(model%doc, doc)
    if (present(opaque)) model%opaque = merge(1_c_int32_t, 0_c_int32_t, opaque)
  end subroutine crest_set_model

  !> Fill the description of one field; `initial` has one value, or one for each level.
  subroutine crest_set_field(field, kind, name, units, levels, lower, upper, initial, standard_name, cell_methods, &
      level_dim, top, bottom, is_static, doc)
    type(crest_field), intent(inout) :: field
    integer(c_int32_t), intent(in) :: kind
    character(len=*), intent(in) :: name, units
    integer, intent(in), optional :: levels
    real(c_double), intent(in), optional :: lower, upper, initial(:), top, bottom
    character(len=*), intent(in), optional :: standard_name, cell_methods, level_dim, doc
    logical, intent(in), optional :: is_static
    field%kind = kind
    field%levels = 1
    call put(field%name, name)
    call put(field%units, units)
    if (present(levels)) field%levels = int(levels, c_int32_t)
    if (present(lower)) field%lower = lower
    if (present(upper)) field%upper = upper
    if (present(top)) field%top = top
    if (present(bottom)) field%bottom = bottom
    if (present(initial)) then
      field%initial = initial(1)
      field%initial(1:min(size(initial), 64)) = initial(1:min(size(initial), 64))
    end if
    if (present(standard_name)) call put(field%standard_name, standard_name)
    if (present(cell_methods)) call put(field%cell_methods, cell_methods)
    if (present(level_dim)) call put(field%level_dim, level_dim)
    if (present(is_static)) field%is_static = merge(1_c_int32_t, 0_c_int32_t, is_static)
    if (present(doc)) call put(field%doc, doc)
  end subroutine crest_set_field

  subroutine put(target, text)
    character(kind=c_char), intent(out) :: target(:)
    character(len=*), intent(in) :: text
    integer :: i
    target = " "
    do i = 1, min(len(text), size(target))
      target(i) = text(i:i)
    end do
  end subroutine put

end module crest_component
