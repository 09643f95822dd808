!> Multi-layer soil-water bucket with a groundwater store: CREST C interface 1, with its adjoint.
!>
!> The equations stand in soil_bucket_physics.f90, their adjoint in soil_bucket_adjoint.f90.
module soil_bucket
  use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int32_t
  use crest_component
  use soil_bucket_physics
  use soil_bucket_adjoint, only: pull_column
  implicit none
  private

  integer, parameter :: fields = 24
  integer, parameter :: IN = CREST_INPUT, OUT = CREST_OUTPUT, ST = CREST_STATE, PAR = CREST_PARAMETER
  character(len=*), parameter :: flux = "kg m-2 day-1"

contains

  integer(c_int32_t) function describe_model(model) bind(C, name="crest_describe_model")
    type(crest_model), intent(inout) :: model
    call crest_set_model(model, "soil_bucket", "0.1.0", fields, doc="Three soil layers over a groundwater store")
    describe_model = 0
  end function describe_model

  integer(c_int32_t) function describe_field(i, f) bind(C, name="crest_describe_field")
    integer(c_int32_t), value :: i
    type(crest_field), intent(inout) :: f
    describe_field = 0
    select case (i)
    case (1)
      call crest_set_field(f, IN, "precipitation_flux", flux, standard_name="precipitation_flux", &
        doc="Water that reaches the soil surface, not negative")
    case (2)
      call crest_set_field(f, IN, "water_evapotranspiration_flux", flux, standard_name="water_evapotranspiration_flux", &
        doc="Water asked from the soil, positive upward; negative is dew")
    case (3)
      call crest_set_field(f, ST, "soil_moisture", "1", levels=n, level_dim="soil_layer", lower=0.0_dp, &
        upper=1.0_dp, initial=[0.25_dp, 0.32_dp, 0.34_dp], cell_methods="time: point", &
        standard_name="volume_fraction_of_condensed_water_in_soil", doc="Water of each layer, from the surface down")
    case (4)
      call crest_set_field(f, ST, "groundwater", "kg m-2", lower=0.0_dp, upper=5000.0_dp, initial=[150.0_dp], &
        cell_methods="time: point", doc="Water of the groundwater store below the layers")
    case (5)
      call crest_set_field(f, OUT, "soil_moisture", "1", levels=n, level_dim="soil_layer", lower=0.0_dp, &
        upper=1.0_dp, cell_methods="time: point", standard_name="volume_fraction_of_condensed_water_in_soil", &
        doc="Layers 0-0.175, 0.175-0.325 and 0.325-0.6 m")
    case (6)
      call crest_set_field(f, OUT, "root_zone_soil_moisture", "1", lower=0.0_dp, upper=1.0_dp, top=0.0_dp, &
        bottom=0.6_dp, cell_methods="time: point", standard_name="volume_fraction_of_condensed_water_in_soil", &
        doc="Mean over the depth of all layers")
    case (7)
      call crest_set_field(f, OUT, "evapotranspiration", flux, doc="Uptake from the soil minus dew, positive upward")
    case (8)
      call crest_set_field(f, OUT, "evapotranspiration_deficit", flux, doc="Demand that the soil could not meet")
    case (9)
      call crest_set_field(f, OUT, "surface_runoff", flux, standard_name="surface_runoff_flux", &
        doc="Rain that the soil did not take, and what spills from over-full layers")
    case (10)
      call crest_set_field(f, OUT, "subsurface_runoff", flux, standard_name="subsurface_runoff_flux", &
        doc="Outflow of the groundwater store")
    case (11)
      call crest_set_field(f, OUT, "groundwater", "kg m-2", lower=0.0_dp, upper=5000.0_dp, &
        cell_methods="time: point", doc="Water of the groundwater store below the layers")
    case (12)
      call crest_set_field(f, PAR, "porosity", "1", levels=n, level_dim="soil_layer", lower=0.25_dp, &
        upper=0.60_dp, initial=[0.42_dp, 0.45_dp, 0.44_dp], doc="Water content of a full layer")
    case (13)
      call crest_set_field(f, PAR, "wilting_point", "1", levels=n, level_dim="soil_layer", lower=0.02_dp, &
        upper=0.20_dp, initial=[0.08_dp, 0.10_dp, 0.12_dp], doc="Water content that plants and gravity leave")
    case (14)
      call crest_set_field(f, PAR, "log10_conductivity", "1", levels=n, level_dim="soil_layer", lower=-3.0_dp, &
        upper=1.0_dp, initial=[-1.0_dp, -1.3_dp, -1.3_dp], doc="log10 of the saturated conductivity in m day-1")
    case (15)
      call crest_set_field(f, PAR, "drainage_exponent", "1", levels=n, level_dim="soil_layer", lower=4.0_dp, &
        upper=25.0_dp, initial=[12.0_dp, 12.0_dp, 12.0_dp], doc="c = 2 b + 3 of Clapp and Hornberger")
    case (16)
      call crest_set_field(f, PAR, "root_depth", "m", lower=0.03_dp, upper=0.60_dp, initial=[0.15_dp], &
        doc="Depth at which the density of roots has fallen to 1/e")
    case (17)
      call crest_set_field(f, PAR, "bypass_middle", "1", lower=0.0_dp, upper=0.4_dp, initial=[0.05_dp], &
        doc="Share of the rain that macropores take to the second layer")
    case (18)
      call crest_set_field(f, PAR, "bypass_bottom", "1", lower=0.0_dp, upper=0.4_dp, initial=[0.05_dp], &
        doc="Share of the rain that macropores take to the third layer")
    case (19)
      call crest_set_field(f, PAR, "runoff_exponent", "1", lower=0.5_dp, upper=10.0_dp, initial=[4.0_dp], &
        doc="beta: the share 1 - S^beta of the rain infiltrates, S the saturation")
    case (20)
      call crest_set_field(f, PAR, "capillary_upper", flux, lower=0.0_dp, upper=20.0_dp, initial=[2.0_dp], &
        doc="Rise from the second to the first layer at the largest contrast")
    case (21)
      call crest_set_field(f, PAR, "capillary_lower", flux, lower=0.0_dp, upper=20.0_dp, initial=[4.0_dp], &
        doc="Rise from the third to the second layer at the largest contrast")
    case (22)
      call crest_set_field(f, PAR, "groundwater_capillary", flux, lower=0.0_dp, upper=20.0_dp, initial=[4.0_dp], &
        doc="Rise from full groundwater to a dry third layer")
    case (23)
      call crest_set_field(f, PAR, "groundwater_time", "day", lower=2.0_dp, upper=400.0_dp, initial=[60.0_dp], &
        doc="Time in which low groundwater drains to 1/e")
    case (24)
      call crest_set_field(f, PAR, "groundwater_capacity", "kg m-2", lower=50.0_dp, upper=600.0_dp, &
        initial=[250.0_dp], doc="Groundwater near which it overflows and drainage to it stops")
    case default
      describe_field = 1
    end select
  end function describe_field

  integer(c_int32_t) function bucket_step(columns, dt, parameters, inputs, state_in, state_out, outputs) &
      bind(C, name="crest_step")
    integer(c_int32_t), value :: columns
    real(dp), value :: dt
    real(dp), intent(in) :: parameters(columns, *), inputs(columns, *), state_in(columns, *)
    real(dp), intent(out) :: state_out(columns, *), outputs(columns, *)
    integer :: i, sub
    real(dp) :: w(n), g, totals(4), before(n + 1, operations)
    type(column) :: c
    do i = 1, columns
      c = column_of(parameters(i, 1:parameters_of_a_column), inputs(i, 1), inputs(i, 2), dt)
      w = depth * state_in(i, 1:n)
      g = state_in(i, n + 1)
      totals = [0.0_dp, 0.0_dp, sum(max(w - c%full, 0.0_dp)), 0.0_dp]
      w = min(w, c%full)
      do sub = 1, c%subs
        call sub_step(c, w, g, totals, before)
      end do
      state_out(i, 1:n) = w / depth
      state_out(i, n + 1) = g
      outputs(i, 1:n) = w / depth
      outputs(i, n + 1) = sum(w) / sum(depth)
      outputs(i, n + 2:n + 5) = totals * (day / dt)
      outputs(i, n + 6) = g
    end do
    bucket_step = 0
  end function bucket_step

  !> The vector-Jacobian product of bucket_step: d_state_out and d_outputs in, the other three out.
  integer(c_int32_t) function bucket_pullback(columns, dt, parameters, inputs, state_in, d_state_out, d_outputs, &
      d_parameters, d_inputs, d_state_in) bind(C, name="crest_pullback")
    integer(c_int32_t), value :: columns
    real(dp), value :: dt
    real(dp), intent(in) :: parameters(columns, *), inputs(columns, *), state_in(columns, *)
    real(dp), intent(in) :: d_state_out(columns, *), d_outputs(columns, *)
    real(dp), intent(out) :: d_parameters(columns, *), d_inputs(columns, *), d_state_in(columns, *)
    integer :: i
    real(dp) :: d_w(n), d_g, d_p(parameters_of_a_column)
    do i = 1, columns
      d_w = (d_state_out(i, 1:n) + d_outputs(i, 1:n)) / depth + d_outputs(i, n + 1) / sum(depth)
      d_g = d_state_out(i, n + 1) + d_outputs(i, n + 6)
      call pull_column(dt, parameters(i, 1:parameters_of_a_column), inputs(i, 1), inputs(i, 2), &
        depth * state_in(i, 1:n), state_in(i, n + 1), d_w, d_g, d_outputs(i, n + 2:n + 5) * (day / dt), &
        d_p, d_inputs(i, 1), d_inputs(i, 2))
      d_parameters(i, 1:parameters_of_a_column) = d_p
      d_state_in(i, 1:n) = d_w * depth
      d_state_in(i, n + 1) = d_g
    end do
    bucket_pullback = 0
  end function bucket_pullback

end module soil_bucket
