!> The adjoint of the soil-water bucket: cotangents of a step's results, carried back to its arguments by hand.
!>
!> For a step y = f(x) and a cotangent v of y it returns v^T df/dx. Every operation of a sub-step is undone in reverse
!> order at the water that it had found: the forward run stores w and g before each sub-step, each sub-step is run
!> again with a record of w and g before each operation (recomputation; Griewank and Walther 2008,
!> doi:10.1137/1.9780898717761). A name with d_ is the derivative of <v, y> with respect to that name.
module soil_bucket_adjoint
  use soil_bucket_physics
  implicit none
  private
  public :: pull_column

  !> Derivatives with respect to what is constant during a step, and to the water.
  type :: cotangent
    real(dp) :: full(n) = 0, dry(n) = 0, capacity(n) = 0, conductivity(n) = 0, exponent(n) = 0, roots(n) = 0
    real(dp) :: share(n) = 0, rise(n - 1) = 0, beta = 0, ground_rise = 0, tau = 0, gmax = 0
    real(dp) :: rain = 0, up = 0, dew = 0, w(n) = 0, g = 0
  end type cotangent

contains

  !> From d_w, d_g at the end of a step and d_totals to d_w, d_g at its start, d_p and the two of the weather.
  subroutine pull_column(dt, p, precipitation, demand, w, g, d_w, d_g, d_totals, d_p, d_precipitation, d_demand)
    real(dp), intent(in) :: dt, p(parameters_of_a_column), precipitation, demand, w(n), g, d_totals(4)
    real(dp), intent(inout) :: d_w(n), d_g
    real(dp), intent(out) :: d_p(parameters_of_a_column), d_precipitation, d_demand
    type(column) :: c
    type(cotangent) :: d
    real(dp), allocatable :: start(:, :)
    real(dp) :: water(n), ground_water, totals(4), before(n + 1, operations), d_up
    integer :: sub
    c = column_of(p, precipitation, demand, dt)
    allocate (start(n + 1, c%subs))
    water = min(w, c%full)
    ground_water = g
    totals = 0.0_dp
    do sub = 1, c%subs
      start(:, sub) = [water, ground_water]
      call sub_step(c, water, ground_water, totals, before)
    end do
    d%w = d_w
    d%g = d_g
    do sub = c%subs, 1, -1
      water = start(1:n, sub)
      ground_water = start(n + 1, sub)
      call sub_step(c, water, ground_water, totals, before)
      call pull_uptake(c, before, d_totals, d)
      call pull_infiltration(c, before, d_totals(3), d)
      call pull_rise(c, before, d)
      call pull_groundwater(c, before(n + 1, GROUND), d_totals(4), d)
      call pull_drainage(c, before, d)
    end do
    where (w > c%full)  ! the excess was spilled
      d%full = d%full + d%w - d_totals(3)
      d%w = d_totals(3)
    end where
    d_w = d%w
    d_g = d%g
    ! weather: up = positive(demand) h, dew = (positive(demand) - demand) h, rain = precipitation h + dew
    d%dew = d%dew + d%rain
    d_precipitation = d%rain * c%h
    d_up = (d%up + d%dew) * c%h
    d_demand = d_up * slope(demand, width_demand) - d%dew * c%h
    d%full = d%full + d%capacity
    d%dry = d%dry - d%capacity
    d_p(1:n) = d%full * depth
    d_p(n + 1:2 * n) = d%dry * depth
    d_p(2 * n + 1:3 * n) = d%conductivity * c%conductivity * log(10.0_dp)
    d_p(3 * n + 1:4 * n) = d%exponent
    d_p(4 * n + 1) = root_depth_slope(c%root_depth, d%roots)
    d_p(4 * n + 2:4 * n + 3) = d%share(2:3) - d%share(1)
    d_p(4 * n + 4) = d%beta
    d_p(4 * n + 5:4 * n + 6) = d%rise
    d_p(4 * n + 7) = d%ground_rise
    d_p(4 * n + 8) = d%tau
    d_p(4 * n + 9) = d%gmax
  end subroutine pull_column

  subroutine pull_uptake(c, before, d_totals, d)
    type(column), intent(in) :: c
    real(dp), intent(in) :: before(n + 1, operations), d_totals(4)
    type(cotangent), intent(inout) :: d
    real(dp) :: asked(n), missing, d_missing, d_asked, d_uptake
    integer :: i
    missing = 0.0_dp
    do i = 1, n
      asked(i) = missing + c%up * c%roots(i)
      missing = asked(i) - taken(c, i, before(i, TAKE_UP + i), asked(i))
    end do
    d_missing = d_totals(2)
    d%dew = d%dew - d_totals(1)
    do i = n, 1, -1
      d_uptake = d_totals(1) - d%w(i) - d_missing
      d_asked = d_missing
      call pull_taken(c, i, before(i, TAKE_UP + i), asked(i), d_uptake, d, d_asked)
      d%up = d%up + d_asked * c%roots(i)
      d%roots(i) = d%roots(i) + d_asked * c%up
      d_missing = d_asked
    end do
  end subroutine pull_uptake

  subroutine pull_infiltration(c, before, d_left, d)
    type(column), intent(in) :: c
    real(dp), intent(in) :: before(n + 1, operations), d_left
    type(cotangent), intent(inout) :: d
    real(dp) :: w, s, power, offered, d_offered, d_power
    integer :: i
    do i = n, 1, -1
      w = before(i, INFILTRATE + i)
      s = wetness(c, i, w)
      power = s**c%beta
      offered = c%rain * c%share(i)
      call pull_at_most(offered * (1.0_dp - power), i, c%full(i) - w, d%w(i) - d_left, d, d_offered)
      d_power = -d_offered * offered
      d%rain = d%rain + d_offered * c%share(i) * (1.0_dp - power)
      d%share(i) = d%share(i) + d_offered * c%rain * (1.0_dp - power)
      if (s > 0.0_dp) then
        d%beta = d%beta + d_power * power * log(s)
        call pull_wetness(c, i, w, d_power * c%beta * power / s, d)
      end if
    end do
    d%rain = d%rain + d_left
  end subroutine pull_infiltration

  subroutine pull_rise(c, before, d)
    type(column), intent(in) :: c
    real(dp), intent(in) :: before(n + 1, operations)
    type(cotangent), intent(inout) :: d
    real(dp) :: w, g, below, above, lift, share, most, d_most, d_lift, d_share
    integer :: i
    w = before(n, GROUND_RISE)
    g = before(n + 1, GROUND_RISE)
    share = 1.0_dp - wetness(c, n, w)
    most = c%ground_rise * c%h * (g / c%gmax)
    call pull_at_most(most * share, n, c%full(n) - w, d%w(n) - d%g, d, d_most)
    d%ground_rise = d%ground_rise + d_most * share * c%h * (g / c%gmax)
    d%g = d%g + d_most * share * c%ground_rise * c%h / c%gmax
    d%gmax = d%gmax - d_most * share * most / c%gmax
    call pull_wetness(c, n, w, -d_most * most, d)
    do i = n - 1, 1, -1
      w = before(i, RISE_UP + i)
      below = wetness(c, i + 1, before(i + 1, RISE_UP + i))
      above = wetness(c, i, w)
      lift = positive(below - above, width_rise)
      share = below / (below + half_share)
      call pull_at_most(c%rise(i) * c%h * lift * share, i, c%full(i) - w, d%w(i) - d%w(i + 1), d, d_most)
      d%rise(i) = d%rise(i) + d_most * c%h * lift * share
      d_lift = d_most * c%rise(i) * c%h * share * slope(below - above, width_rise)
      d_share = d_most * c%rise(i) * c%h * lift
      call pull_wetness(c, i + 1, before(i + 1, RISE_UP + i), &
        d_lift + d_share * half_share / (below + half_share)**2, d)
      call pull_wetness(c, i, w, -d_lift, d)
    end do
  end subroutine pull_rise

  subroutine pull_groundwater(c, g, d_runoff, d)
    type(column), intent(in) :: c
    real(dp), intent(in) :: g, d_runoff
    type(cotangent), intent(inout) :: d
    real(dp) :: r, fill, d_kept, d_r, d_fill
    fill = g / c%gmax
    r = 1.0_dp + c%h / c%tau * (1.0_dp + fill**8)
    d_kept = d%g - d_runoff
    d_r = -d_kept * g / r**2
    d_fill = d_r * c%h / c%tau * 8.0_dp * fill**7
    d%g = d_runoff + d_kept / r + d_fill / c%gmax
    d%gmax = d%gmax - d_fill * fill / c%gmax
    d%tau = d%tau - d_r * (r - 1.0_dp) / c%tau
  end subroutine pull_groundwater

  subroutine pull_drainage(c, before, d)
    type(column), intent(in) :: c
    real(dp), intent(in) :: before(n + 1, operations)
    type(cotangent), intent(inout) :: d
    real(dp) :: w, below, s, slow, g, d_flow, d_slow, d_fill
    integer :: i, op
    do i = 1, n - 1
      op = DRAIN + 1 + n - i
      w = before(i, op)
      below = before(i + 1, op)
      s = wetness(c, i + 1, below)
      slow = positive(1.0_dp - s**8, width_slow)
      call pull_at_most(drained(c, i, w, slow), i + 1, c%full(i + 1) - below, d%w(i + 1) - d%w(i), d, d_flow)
      call pull_drained(c, i, w, slow, d_flow, d, d_slow)
      call pull_wetness(c, i + 1, below, -d_slow * slope(1.0_dp - s**8, width_slow) * 8.0_dp * s**7, d)
    end do
    w = before(n, DRAIN + 1)
    g = before(n + 1, DRAIN + 1)
    slow = positive(1.0_dp - (g / c%gmax)**4, width_slow)
    call pull_drained(c, n, w, slow, d%g - d%w(n), d, d_slow)
    d_fill = -d_slow * slope(1.0_dp - (g / c%gmax)**4, width_slow) * 4.0_dp * (g / c%gmax)**3
    d%g = d%g + d_fill / c%gmax
    d%gmax = d%gmax - d_fill * g / c%gmax**2
  end subroutine pull_drainage

  !> of available(w) = positive(w - dry)
  subroutine pull_available(c, i, w, d_a, d)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, d_a
    type(cotangent), intent(inout) :: d
    real(dp) :: d_x
    d_x = d_a * slope(w - c%dry(i), width_water * depth(i))
    d%w(i) = d%w(i) + d_x
    d%dry(i) = d%dry(i) - d_x
  end subroutine pull_available

  !> of wetness(w) = available(w) / capacity
  subroutine pull_wetness(c, i, w, d_s, d)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, d_s
    type(cotangent), intent(inout) :: d
    call pull_available(c, i, w, d_s / c%capacity(i), d)
    d%capacity(i) = d%capacity(i) - d_s * wetness(c, i, w) / c%capacity(i)
  end subroutine pull_wetness

  !> of a (1 - b^(-1/e)) with b = 1 + e K slow h / C (a / C)^e
  subroutine pull_drained(c, i, w, slow, d_flow, d, d_slow)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, slow, d_flow
    type(cotangent), intent(inout) :: d
    real(dp), intent(out) :: d_slow
    real(dp) :: a, e, rate, b, kept, d_b
    d_slow = 0.0_dp
    a = available(c, i, w)
    if (a <= 0.0_dp) return
    e = c%exponent(i) - 1.0_dp
    rate = e * c%conductivity(i) * c%h / c%capacity(i) * (a / c%capacity(i))**e
    b = 1.0_dp + rate * slow
    kept = b**(-1.0_dp / e)
    d_b = d_flow * a * kept / (e * b)
    d_slow = d_b * rate
    d%conductivity(i) = d%conductivity(i) + d_b * (b - 1.0_dp) / c%conductivity(i)
    d%capacity(i) = d%capacity(i) - d_b * (b - 1.0_dp) * (1.0_dp + e) / c%capacity(i)
    d%exponent(i) = d%exponent(i) + d_b * (b - 1.0_dp) * (1.0_dp / e + log(a / c%capacity(i))) &
      - d_flow * a * kept * log(b) / e**2
    call pull_available(c, i, w, d_flow * (1.0_dp - kept) + d_b * (b - 1.0_dp) * e / a, d)
  end subroutine pull_drained

  !> of asked x / (x + half), x = (sqrt(b^2 + 4 a half) - b) / 2, b = half + asked - a
  subroutine pull_taken(c, i, w, asked, d_uptake, d, d_asked)
    type(column), intent(in) :: c
    integer, intent(in) :: i
    real(dp), intent(in) :: w, asked, d_uptake
    type(cotangent), intent(inout) :: d
    real(dp), intent(inout) :: d_asked
    real(dp) :: a, half, b, root, x, d_x, x_b, d_half
    a = available(c, i, w)
    half = half_share * c%capacity(i)
    b = half + asked - a
    root = sqrt(b * b + 4.0_dp * a * half)
    x = 0.5_dp * (root - b)
    x_b = 0.5_dp * (b / root - 1.0_dp)
    d_x = d_uptake * asked * half / (x + half)**2
    d_asked = d_asked + d_uptake * x / (x + half) + d_x * x_b
    d_half = d_x * (x_b + a / root) - d_uptake * asked * x / (x + half)**2
    d%capacity(i) = d%capacity(i) + d_half * half_share
    call pull_available(c, i, w, d_x * (half / root - x_b), d)
  end subroutine pull_taken

  !> of at_most(x, full - w) for a layer with that space: d_x is returned, the space goes to full and w
  subroutine pull_at_most(x, layer, space, d_flow, d, d_x)
    real(dp), intent(in) :: x, space, d_flow
    integer, intent(in) :: layer
    type(cotangent), intent(inout) :: d
    real(dp), intent(out) :: d_x
    real(dp) :: fourth, root, d_space
    fourth = x**4 + space**4 + tiny4
    root = sqrt(sqrt(fourth))
    d_x = d_flow * space / root * (1.0_dp - x**4 / fourth)
    d_space = d_flow * x / root * (1.0_dp - space**4 / fourth)
    d%full(layer) = d%full(layer) + d_space
    d%w(layer) = d%w(layer) - d_space
  end subroutine pull_at_most

  !> Derivative of positive(x, width).
  pure real(dp) function slope(x, width)
    real(dp), intent(in) :: x, width
    slope = merge(1.0_dp, 0.0_dp, x > 0.0_dp)
    if (abs(x) < 40.0_dp * width) slope = 1.0_dp / (1.0_dp + exp(-x / width))
  end function slope

  !> d_root_depth from d_shares: share_i = (E_(i-1) - E_i) / (1 - E_n), E_i = exp(-z_i / root_depth).
  pure real(dp) function root_depth_slope(root_depth, d_shares)
    real(dp), intent(in) :: root_depth, d_shares(n)
    real(dp) :: e(0:n), e_slope(0:n), z, whole
    integer :: i
    e(0) = 1.0_dp
    e_slope(0) = 0.0_dp
    z = 0.0_dp
    do i = 1, n
      z = z + thickness(i)
      e(i) = exp(-z / root_depth)
      e_slope(i) = e(i) * z / root_depth**2
    end do
    whole = 1.0_dp - e(n)
    root_depth_slope = 0.0_dp
    do i = 1, n
      root_depth_slope = root_depth_slope + d_shares(i) &
        * ((e_slope(i - 1) - e_slope(i)) / whole + (e(i - 1) - e(i)) * e_slope(n) / whole**2)
    end do
  end function root_depth_slope

end module soil_bucket_adjoint
