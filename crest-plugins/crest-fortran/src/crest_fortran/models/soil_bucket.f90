!> Multi-layer soil-water bucket with a groundwater store: CREST C interface 1.
!>
!> Water is counted in kg m-2 (= mm of liquid water at 1000 kg m-3), time in days; h is the length of a sub-step
!> (at most 4 hours). For layer i, counted from the surface:
!>   W_i  water, C_i = (porosity_i - wilting_point_i) d_i,  A_i = W_i - wilting_point_i d_i,  S_i = A_i / C_i
!>   F_i  = porosity_i d_i - W_i, the free space
!> Within a sub-step, one after the other (operator splitting), each from the water that the one before left:
!>   1. Drainage from the bottom up, gravity only: dA/dt = -K S^c, of which the exact solution is taken,
!>        D_i = A_i - A_i [1 + (c_i - 1) (K_i g_i h / C_i) S_i^(c_i - 1)]^(-1 / (c_i - 1)),
!>        g_i = 1 - S_(i+1)^8, g_n = 1 - (G / Gmax)^4: a wet layer or high groundwater below holds water up.
!>        (Campbell 1974, doi:10.1097/00010694-197406000-00001; Clapp and Hornberger 1978,
!>        doi:10.1029/WR014i004p00601: K = Ksat S^(2b+3), so c = 2b + 3.) The layer below takes at most F.
!>   2. Groundwater, a linear reservoir that overflows near its capacity:
!>        G <- G / (1 + h / tau (1 + (G / Gmax)^8)); what leaves is subsurface runoff.
!>   3. Capillary rise r_i max(S_(i+1) - S_i, 0) S_(i+1) / (S_(i+1) + 0.02) h between layers (none from a dry layer),
!>        gcap (G / Gmax) (1 - S_n) h from groundwater.
!>   4. Infiltration: macropores take the shares b_2, b_3 of the rain to layers 2 and 3, layer 1 gets the rest;
!>        each takes P_i (1 - S_i^beta), at most F_i (variable contributing area: Bergstroem 1976, SMHI RHO 7;
!>        Zhao 1992, doi:10.1016/0022-1694(92)90096-E). What is not taken is surface runoff.
!>   5. Uptake from the top down: demand times root share, plus what the layers above could not give
!>        (compensation: Jarvis 1989, doi:10.1016/0022-1694(89)90050-4); U = D A' / (A' + 0.02 C) with the water A'
!>        that is left (implicit). Root share from exp(-z / root_depth) (Jackson et al. 1996,
!>        doi:10.1007/BF00333714, beta^z written as an exponential). What no layer gives is the deficit.
!>        A negative demand (dew) is added to the rain.
!> Limits are smooth, so that finite differences see the same slopes everywhere:
!>   "at most F" is x F / (x^4 + F^4)^(1/4), max(x, 0) is w log(1 + exp(x / w)) with the widths w below.
!> A layer that starts a step over-full (set so from outside) first spills the excess as surface runoff.
!> Balance over a step: rain - uptake - surface runoff - subsurface runoff = change of (sum of W_i + G), to rounding.
module soil_bucket
  use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int32_t
  use crest_component
  implicit none
  private

  integer, parameter :: dp = c_double
  integer, parameter :: n = 3                                           ! layers
  real(dp), parameter :: thickness(n) = [0.175_dp, 0.15_dp, 0.275_dp]   ! m; centres near 0.10, 0.25 and 0.45 m
  real(dp), parameter :: depth(n) = 1000.0_dp * thickness               ! kg m-2 of water that fills the layer
  real(dp), parameter :: day = 86400.0_dp                               ! s
  real(dp), parameter :: longest = 14400.0_dp                           ! s, longest sub-step
  real(dp), parameter :: half_share = 0.02_dp     ! share of C at which uptake and rise are half of what is asked
  real(dp), parameter :: width_water = 0.001_dp   ! m3 m-3, width of the smooth limit at the wilting point
  real(dp), parameter :: width_slow = 0.02_dp     ! of g
  real(dp), parameter :: width_rise = 0.01_dp     ! of S differences
  real(dp), parameter :: width_demand = 0.005_dp  ! kg m-2 day-1
  real(dp), parameter :: tiny4 = 1.0e-60_dp

  integer, parameter :: fields = 23
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
        standard_name="volume_fraction_of_condensed_water_in_soil")
    case (4)
      call crest_set_field(f, ST, "groundwater", "kg m-2", lower=0.0_dp, upper=5000.0_dp, initial=[150.0_dp], &
        cell_methods="time: point")
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
      call crest_set_field(f, OUT, "surface_runoff", flux, standard_name="surface_runoff_flux")
    case (10)
      call crest_set_field(f, OUT, "subsurface_runoff", flux, standard_name="subsurface_runoff_flux", &
        doc="Outflow of the groundwater store")
    case (11)
      call crest_set_field(f, PAR, "porosity", "1", levels=n, level_dim="soil_layer", lower=0.25_dp, &
        upper=0.60_dp, initial=[0.42_dp, 0.45_dp, 0.44_dp])
    case (12)
      call crest_set_field(f, PAR, "wilting_point", "1", levels=n, level_dim="soil_layer", lower=0.02_dp, &
        upper=0.20_dp, initial=[0.08_dp, 0.10_dp, 0.12_dp])
    case (13)
      call crest_set_field(f, PAR, "log10_conductivity", "1", levels=n, level_dim="soil_layer", lower=-3.0_dp, &
        upper=1.0_dp, initial=[-1.0_dp, -1.3_dp, -1.3_dp], doc="log10 of the saturated conductivity in m day-1")
    case (14)
      call crest_set_field(f, PAR, "drainage_exponent", "1", levels=n, level_dim="soil_layer", lower=4.0_dp, &
        upper=25.0_dp, initial=[12.0_dp, 12.0_dp, 12.0_dp], doc="c = 2 b + 3 of Clapp and Hornberger")
    case (15)
      call crest_set_field(f, PAR, "root_depth", "m", lower=0.03_dp, upper=0.60_dp, initial=[0.15_dp])
    case (16)
      call crest_set_field(f, PAR, "bypass_middle", "1", lower=0.0_dp, upper=0.4_dp, initial=[0.05_dp], &
        doc="Share of the rain that macropores take to the second layer")
    case (17)
      call crest_set_field(f, PAR, "bypass_bottom", "1", lower=0.0_dp, upper=0.4_dp, initial=[0.05_dp], &
        doc="Share of the rain that macropores take to the third layer")
    case (18)
      call crest_set_field(f, PAR, "runoff_exponent", "1", lower=0.5_dp, upper=10.0_dp, initial=[4.0_dp])
    case (19)
      call crest_set_field(f, PAR, "capillary_upper", flux, lower=0.0_dp, upper=20.0_dp, initial=[2.0_dp], &
        doc="Rise from the second to the first layer at the largest contrast")
    case (20)
      call crest_set_field(f, PAR, "capillary_lower", flux, lower=0.0_dp, upper=20.0_dp, initial=[4.0_dp], &
        doc="Rise from the third to the second layer at the largest contrast")
    case (21)
      call crest_set_field(f, PAR, "groundwater_capillary", flux, lower=0.0_dp, upper=20.0_dp, initial=[4.0_dp])
    case (22)
      call crest_set_field(f, PAR, "groundwater_time", "day", lower=2.0_dp, upper=400.0_dp, initial=[60.0_dp])
    case (23)
      call crest_set_field(f, PAR, "groundwater_capacity", "kg m-2", lower=50.0_dp, upper=600.0_dp, initial=[250.0_dp])
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
    integer :: column, i
    real(dp) :: p(4 * n + 9), w(n), g, totals(4)
    do column = 1, columns
      p = parameters(column, 1:4 * n + 9)
      w = depth * state_in(column, 1:n)
      g = state_in(column, n + 1)
      call one_column(dt, p, inputs(column, 1), inputs(column, 2), w, g, totals)
      do i = 1, n
        state_out(column, i) = w(i) / depth(i)
        outputs(column, i) = w(i) / depth(i)
      end do
      state_out(column, n + 1) = g
      outputs(column, n + 1) = sum(w) / sum(depth)
      outputs(column, n + 2:n + 5) = totals * (day / dt)
    end do
    bucket_step = 0
  end function bucket_step

  !> Advance the water w of the layers and the groundwater g of one column by dt; totals in kg m-2:
  !> evapotranspiration, deficit, surface runoff, subsurface runoff.
  subroutine one_column(dt, p, precipitation, demand, w, g, totals)
    real(dp), intent(in) :: dt, p(4 * n + 9), precipitation, demand
    real(dp), intent(inout) :: w(n), g
    real(dp), intent(out) :: totals(4)
    real(dp) :: full(n), dry(n), capacity(n), conductivity(n), exponent(n), roots(n), share(n), rise(n - 1)
    real(dp) :: root_depth, beta, ground_rise, tau, gmax, h, up, dew, rain, flow, slow, below, missing, uptake, left
    integer :: i, sub, subs

    full = p(1:n) * depth
    dry = p(n + 1:2 * n) * depth
    capacity = full - dry
    conductivity = 1000.0_dp * 10.0_dp**p(2 * n + 1:3 * n)  ! kg m-2 day-1
    exponent = p(3 * n + 1:4 * n)
    root_depth = p(4 * n + 1)
    share = [1.0_dp - p(4 * n + 2) - p(4 * n + 3), p(4 * n + 2), p(4 * n + 3)]
    beta = p(4 * n + 4)
    rise = p(4 * n + 5:4 * n + 6)
    ground_rise = p(4 * n + 7)
    tau = p(4 * n + 8)
    gmax = p(4 * n + 9)
    roots = root_shares(root_depth)

    subs = max(1, ceiling(dt / longest - 1.0e-9_dp))
    h = dt / day / subs
    up = positive(demand, width_demand)
    dew = (up - demand) * h
    rain = precipitation * h + dew
    up = up * h
    totals = 0.0_dp
    do i = 1, n
      flow = max(w(i) - full(i), 0.0_dp)
      w(i) = w(i) - flow
      totals(3) = totals(3) + flow
    end do
    do sub = 1, subs
      ! 1. drainage
      slow = positive(1.0_dp - (g / gmax)**4, width_slow)
      flow = drained(n, slow)
      w(n) = w(n) - flow
      g = g + flow
      do i = n - 1, 1, -1
        slow = positive(1.0_dp - wetness(i + 1)**8, width_slow)
        flow = at_most(drained(i, slow), full(i + 1) - w(i + 1))
        w(i) = w(i) - flow
        w(i + 1) = w(i + 1) + flow
      end do
      ! 2. groundwater
      flow = g - g / (1.0_dp + h / tau * (1.0_dp + (g / gmax)**8))
      g = g - flow
      totals(4) = totals(4) + flow
      ! 3. capillary rise
      do i = 1, n - 1
        below = wetness(i + 1)
        flow = rise(i) * h * positive(below - wetness(i), width_rise) * below / (below + half_share)
        flow = at_most(flow, full(i) - w(i))
        w(i + 1) = w(i + 1) - flow
        w(i) = w(i) + flow
      end do
      flow = at_most(ground_rise * h * (g / gmax) * (1.0_dp - wetness(n)), full(n) - w(n))
      g = g - flow
      w(n) = w(n) + flow
      ! 4. infiltration
      left = rain
      do i = 1, n
        flow = at_most(rain * share(i) * (1.0_dp - wetness(i)**beta), full(i) - w(i))
        w(i) = w(i) + flow
        left = left - flow
      end do
      totals(3) = totals(3) + left
      ! 5. uptake
      missing = 0.0_dp
      do i = 1, n
        missing = missing + up * roots(i)
        uptake = taken(i, missing)
        w(i) = w(i) - uptake
        missing = missing - uptake
        totals(1) = totals(1) + uptake
      end do
      totals(1) = totals(1) - dew
      totals(2) = totals(2) + missing
    end do

  contains

    !> Water above the wilting point, smoothly kept above 0.
    real(dp) function available(i)
      integer, intent(in) :: i
      available = positive(w(i) - dry(i), width_water * depth(i))
    end function available

    real(dp) function wetness(i)
      integer, intent(in) :: i
      wetness = available(i) / capacity(i)
    end function wetness

    !> Exact drainage of one sub-step by gravity.
    real(dp) function drained(i, slow)
      integer, intent(in) :: i
      real(dp), intent(in) :: slow
      real(dp) :: a, e
      a = available(i)
      e = exponent(i) - 1.0_dp
      drained = a - a * (1.0_dp + e * (conductivity(i) * slow * h / capacity(i)) * (a / capacity(i))**e)**(-1.0_dp / e)
    end function drained

    !> Uptake for a demand: with the water x that is left, asked x / (x + half_share capacity).
    real(dp) function taken(i, asked)
      integer, intent(in) :: i
      real(dp), intent(in) :: asked
      real(dp) :: a, half, b, x
      a = available(i)
      half = half_share * capacity(i)
      b = half + asked - a
      x = 0.5_dp * (sqrt(b * b + 4.0_dp * a * half) - b)
      taken = asked * x / (x + half)
    end function taken

  end subroutine one_column

  !> Share of the roots in each layer; all of them lie within the layers.
  pure function root_shares(root_depth) result(shares)
    real(dp), intent(in) :: root_depth
    real(dp) :: shares(n), above, below, top
    integer :: i
    above = 1.0_dp
    top = 0.0_dp
    do i = 1, n
      top = top + thickness(i)
      below = exp(-top / root_depth)
      shares(i) = above - below
      above = below
    end do
    shares = shares / (1.0_dp - above)
  end function root_shares

  !> Smooth max(x, 0); at 0 it is 0.69 width, below that it falls off exponentially.
  pure real(dp) function positive(x, width)
    real(dp), intent(in) :: x, width
    positive = max(x, 0.0_dp)
    if (abs(x) < 40.0_dp * width) positive = positive + width * log(1.0_dp + exp(-abs(x) / width))
  end function positive

  !> Smooth min(x, space), below both, for x and space above 0.
  pure real(dp) function at_most(x, space)
    real(dp), intent(in) :: x, space
    at_most = x * space / sqrt(sqrt(x**4 + space**4 + tiny4))
  end function at_most

end module soil_bucket
