!> The model: degree-day snow in one column. It knows nothing of CREST; put your own routine here.
module snow
  use, intrinsic :: iso_c_binding, only: c_double
  implicit none
  private
  public :: snow_column
contains

  !> One step of `days`: precipitation [mm day-1] at temperature [degC] falls as rain [mm day-1] or snow;
  !> melt [mm day-1] leaves the snow, swe [mm].
  pure subroutine snow_column(days, factor, threshold, precipitation, temperature, swe, rain, melt)
    real(c_double), intent(in) :: days, factor, threshold, precipitation, temperature
    real(c_double), intent(inout) :: swe
    real(c_double), intent(out) :: rain, melt
    real(c_double) :: snowfall, warmer, warmth, snow

    warmer = 2 * (temperature - threshold)
    snowfall = precipitation / (1 + exp(warmer))
    warmth = (max(warmer, 0.0_c_double) + log(1 + exp(-abs(warmer)))) / 2  ! log(1 + exp(warmer)) / 2, without overflow
    snow = swe + snowfall * days
    melt = snow / days * (1 - exp(-factor * warmth * days / max(snow, 1e-6_c_double)))
    swe = snow - melt * days
    rain = precipitation - snowfall
  end subroutine snow_column
end module snow
