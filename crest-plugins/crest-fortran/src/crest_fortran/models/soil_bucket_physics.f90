!> The equations of the soil-water bucket for one column; the interface is in soil_bucket.f90.
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
!> Limits are smooth, so that gradients see the same slopes everywhere:
!>   "at most F" is x F / (x^4 + F^4)^(1/4), max(x, 0) is w log(1 + exp(x / w)) with the widths w below.
!> A layer that starts a step over-full (set so from outside) first spills the excess as surface runoff.
!> Balance over a step: rain - uptake - surface runoff - subsurface runoff = change of (sum of W_i + G), to rounding.
module soil_bucket_physics
  use, intrinsic :: iso_c_binding, only: c_double
  implicit none
  public

  integer, parameter :: dp = c_double
  integer, parameter :: n = 3                                           ! layers
  integer, parameter :: parameters_of_a_column = 4 * n + 9
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

  ! The order of the operations of a sub-step, for their record.
  integer, parameter :: DRAIN = 0, GROUND = n + 1, RISE_UP = n + 1, GROUND_RISE = 2 * n + 1, INFILTRATE = 2 * n + 1
  integer, parameter :: TAKE_UP = 3 * n + 1, operations = 4 * n + 1

  !> What does not change during a step: parameters in kg m-2 and days, and the weather of a sub-step.
  type :: column
    real(dp) :: full(n), dry(n), capacity(n), conductivity(n), exponent(n), roots(n), share(n), rise(n - 1)
    real(dp) :: root_depth, beta, ground_rise, tau, gmax, h, rain, up, dew
    integer :: subs
  end type column

contains

  !> The column with parameters p, precipitation and demand [kg m-2 day-1], for a step of dt seconds.
  type(column) function column_of(p, precipitation, demand, dt) result(c)
    real(dp), intent(in) :: p(parameters_of_a_column), precipitation, demand, dt
    c%full = p(1:n) * depth
    c%dry = p(n + 1:2 * n) * depth
    c%capacity = c%full - c%dry
    c%conductivity = 1000.0_dp * 10.0_dp**p(2 * n + 1:3 * n)  ! kg m-2 day-1
    c%exponent = p(3 * n + 1:4 * n)
    c%root_depth = p(4 * n + 1)
    c%share = [1.0_dp - p(4 * n + 2) - p(4 * n + 3), p(4 * n + 2), p(4 * n + 3)]
    c%beta = p(4 * n + 4)
    c%rise = p(4 * n + 5:4 * n + 6)
    c%ground_rise = p(4 * n + 7)
    c%tau = p(4 * n + 8)
    c%gmax = p(4 * n + 9)
    c%roots = root_shares(c%root_depth)
    c%subs = max(1, ceiling(dt / longest - 1.0e-9_dp))
    c%h = dt / day / c%subs
    c%up = positive(demand, width_demand)
    c%dew = (c%up - demand) * c%h
    c%rain = precipitation * c%h + c%dew
    c%up = c%up * c%h
  end function column_of

  !> Advance the water w of the layers and the groundwater g by one sub-step, and add to the totals in kg m-2:
  !> evapotranspiration, deficit, surface runoff, subsurface runoff. `before` gets w and g before each operation.
  subroutine sub_step(c, w, g, totals, before)
    type(column), intent(in) :: c
    real(dp), intent(inout) :: w(n), g, totals(4)
    real(dp), intent(out) :: before(n + 1, operations)
    real(dp) :: flow, slow, below, missing, uptake, left
    integer :: i
    ! 1. drainage
    before(:, DRAIN + 1) = [w, g]
    slow = positive(1.0_dp - (g / c%gmax)**4, width_slow)
    flow = drained(c, n, w(n), slow)
    w(n) = w(n) - flow
    g = g + flow
    do i = n - 1, 1, -1
      before(:, DRAIN + 1 + n - i) = [w, g]
      slow = positive(1.0_dp - wetness(c, i + 1, w(i + 1))**8, width_slow)
      flow = at_most(drained(c, i, w(i), slow), c%full(i + 1) - w(i + 1))
      w(i) = w(i) - flow
      w(i + 1) = w(i + 1) + flow
    end do
    ! 2. groundwater
    before(:, GROUND) = [w, g]
    flow = g - g / (1.0_dp + c%h / c%tau * (1.0_dp + (g / c%gmax)**8))
    g = g - flow
    totals(4) = totals(4) + flow
    ! 3. capillary rise
    do i = 1, n - 1
      before(:, RISE_UP + i) = [w, g]
      below = wetness(c, i + 1, w(i + 1))
      flow = c%rise(i) * c%h * positive(below - wetness(c, i, w(i)), width_rise) * below / (below + half_share)
      flow = at_most(flow, c%full(i) - w(i))
      w(i + 1) = w(i + 1) - flow
      w(i) = w(i) + flow
    end do
    before(:, GROUND_RISE) = [w, g]
    flow = at_most(c%ground_rise * c%h * (g / c%gmax) * (1.0_dp - wetness(c, n, w(n))), c%full(n) - w(n))
    g = g - flow
    w(n) = w(n) + flow
    ! 4. infiltration
    left = c%rain
    do i = 1, n
      before(:, INFILTRATE + i) = [w, g]
      flow = at_most(c%rain * c%share(i) * (1.0_dp - wetness(c, i, w(i))**c%beta), c%full(i) - w(i))
      w(i) = w(i) + flow
      left = left - flow
    end do
    totals(3) = totals(3) + left
    ! 5. uptake
    missing = 0.0_dp
    do i = 1, n
      before(:, TAKE_UP + i) = [w, g]
      missing = missing + c%up * c%roots(i)
      uptake = taken(c, i, w(i), missing)
      w(i) = w(i) - uptake
      missing = missing - uptake
      totals(1) = totals(1) + uptake
    end do
    totals(1) = totals(1) - c%dew
    totals(2) = totals(2) + missing
  end subroutine sub_step

  !> Water above the wilting point, smoothly kept above 0.
  pure real(dp) function available(c, i, w)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w
    available = positive(w - c%dry(i), width_water * depth(i))
  end function available

  pure real(dp) function wetness(c, i, w)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w
    wetness = available(c, i, w) / c%capacity(i)
  end function wetness

  !> Exact drainage of one sub-step by gravity.
  pure real(dp) function drained(c, i, w, slow)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, slow
    real(dp) :: a, e
    a = available(c, i, w)
    e = c%exponent(i) - 1.0_dp
    drained = a - a * (1.0_dp + e * (c%conductivity(i) * slow * c%h / c%capacity(i)) * (a / c%capacity(i))**e) &
        **(-1.0_dp / e)
  end function drained

  !> Uptake for a demand: with the water x that is left, asked x / (x + half_share capacity).
  pure real(dp) function taken(c, i, w, asked)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, asked
    real(dp) :: a, half, b, x
    a = available(c, i, w)
    half = half_share * c%capacity(i)
    b = half + asked - a
    x = 0.5_dp * (sqrt(b * b + 4.0_dp * a * half) - b)
    taken = asked * x / (x + half)
  end function taken

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

end module soil_bucket_physics
