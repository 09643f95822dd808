"""Forcing: every way in which data can be wrong is an error that says where and what to do."""

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from crest_core import Connection, Graph, PeriodError, PointGrid, simulate
from crest_core.component import StepComponent
from crest_core.errors import ForcingError
from crest_core.testing import Stress, TorchBucket, weather
from crest_fields.errors import TimeError, UnitError
from crest_fields.fields import FieldSpec

LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def run(data, **options):
    return simulate(Graph({"plant": Stress(), "soil": TorchBucket()}, [LAG]), data, **options)


def changed(name, values=None, **attributes):
    data = weather(10, 2, seed=1)
    variable = data[name].copy()
    if values is not None:
        variable = variable.copy(data=values(variable.values.copy()))
    variable.attrs |= {k: v for k, v in attributes.items() if v is not None}
    for key in [k for k, v in attributes.items() if v is None]:
        variable.attrs.pop(key)
    return data.assign({name: variable})


def put(value, *index):
    def apply(values):
        values[index] = value
        return values

    return apply


def retimed(times):
    return weather(10, 2, seed=1).assign_coords(time=times)


class Thermometer(StepComponent):
    inputs = (FieldSpec(name="air_temperature", units="degC", standard_name="air_temperature"),)
    outputs = (FieldSpec(name="seen", units="degC"),)

    def step(self, state, inputs, time):
        return {"seen": inputs["air_temperature"]}, {}


def temperature(values, units):
    data = weather(4, 1, seed=1)
    attributes = {"units": units, "standard_name": "air_temperature"}
    return xr.Dataset({"air_temperature": (("time", "cell"), np.full((4, 1), values), attributes)}, data.coords)


def test_a_missing_variable_names_what_the_data_hold():
    data = weather(5, seed=1).rename(precipitation="precipitatoin")
    data["precipitatoin"].attrs.pop("standard_name")
    with pytest.raises(ForcingError, match=r"forcing lacks precipitation.*did you mean 'precipitatoin'"):
        run(data)


def test_all_missing_variables_are_named_at_once():
    data = weather(5, seed=1).drop_vars(["precipitation", "potential_evaporation"])
    with pytest.raises(ForcingError) as error:
        run(data.assign(rain=weather(5, seed=1)["precipitation"].drop_attrs()))
    first, second, held = str(error.value).splitlines()
    assert first.startswith("forcing lacks p") and second.startswith("forcing lacks p")
    assert "precipitation_flux [mm day-1, mean]" in first + second
    assert held == "the data hold rain"


def test_a_variable_is_found_by_its_standard_name():
    expected = run(weather(5, seed=1))
    assert np.array_equal(run(weather(5, seed=1).rename(precipitation="tp"))["storage"], expected["storage"])


def test_two_variables_of_one_standard_name_must_be_told_apart():
    data = weather(5, seed=1).rename(precipitation="tp")
    with pytest.raises(ForcingError, match=r"\['tp', 'tp2'\] all have this standard name; rename the right one"):
        run(data.assign(tp2=data["tp"]))


def test_missing_units_are_refused():
    with pytest.raises(ForcingError, match=r"forcing precipitation: the variable has no attribute units"):
        run(changed("precipitation", units=None))


def test_units_that_cannot_be_read_or_converted_are_refused():
    with pytest.raises(ForcingError, match=r"forcing precipitation: .*'mm per fortnightly'"):
        run(changed("precipitation", units="mm per fortnightly"))
    with pytest.raises(ForcingError, match=r"forcing precipitation: .*'K'.*'mm day-1'"):
        run(changed("precipitation", units="K"))


def test_metres_and_millimetres_are_converted_and_the_wrong_label_is_caught():
    right = run(weather(10, 2, seed=1))["storage"]
    metres = changed("precipitation", lambda v: v / 1000.0, units="m day-1")
    assert np.allclose(run(metres)["storage"], right, rtol=1e-6)
    with pytest.raises(ForcingError, match=r"precipitation \[mm day-1\]: expected finite values within \[0, 500\]"):
        run(changed("precipitation", units="m day-1"))


def test_an_amount_per_step_becomes_a_rate_and_mass_becomes_depth():
    right = run(weather(10, 2, seed=1))["storage"]
    amount = changed("precipitation", units="kg m-2", cell_methods="time: sum")
    assert np.allclose(run(amount)["storage"], right, rtol=1e-6)
    flux = changed("precipitation", lambda v: v / 86400.0, units="kg m-2 s-1")
    assert np.allclose(run(flux)["storage"], right, rtol=1e-6)


def test_kelvin_and_celsius_are_converted_and_the_wrong_label_is_caught():
    model = Graph({"thermometer": Thermometer()})
    assert float(simulate(model, temperature(293.15, "K"))["seen"][0, 0]) == pytest.approx(20.0, abs=1e-4)
    with pytest.raises(ForcingError, match=r"air_temperature \[degC\].*got 293.15.*correct the units"):
        simulate(model, temperature(293.15, "degC"))
    with pytest.raises(ForcingError, match=r"air_temperature \[degC\].*got -253.15"):
        simulate(model, temperature(20.0, "K"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -9999.0, 1e20])
def test_missing_and_fill_values_are_named_with_time_and_cell(value):
    data = changed("potential_evaporation", put(value, 3, 1))
    with pytest.raises(ForcingError, match=r"potential_evaporation.*at time 2001-01-04.*cell 1 \(1 such values\)"):
        run(data)


def test_an_error_in_a_late_window_comes_before_anything_is_returned():
    data = changed("precipitation", put(np.nan, 9, 0))
    assert run(data, end="2001-01-10")["storage"].shape == (9, 2)
    with pytest.raises(ForcingError, match=r"2001-01-10"):
        run(data, window="2D")


def test_another_standard_name_under_the_right_variable_name_is_refused():
    with pytest.raises(ForcingError, match=r"expected standard_name 'precipitation_flux', got 'snowfall_flux'"):
        run(changed("precipitation", standard_name="snowfall_flux"))


def test_a_maximum_is_not_a_mean():
    with pytest.raises(ForcingError, match=r"expected cell_methods 'time: mean', got 'time: maximum'"):
        run(changed("precipitation", cell_methods="time: maximum"))


def test_times_that_are_unsorted_double_missing_or_uneven_are_refused():
    days = pd.date_range("2001-01-01", periods=10)
    order = [0, 2, 1, 3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ForcingError, match=r"2001-01-02.*not sorted; sort by time|1 steps are missing"):
        run(retimed(days[order]))
    with pytest.raises(ForcingError, match=r"time 2001-01-01 00:00:00 follows 2001-01-10.*not sorted; sort by time"):
        run(retimed(days[[9, 0, 1, 2, 3, 4, 5, 6, 7, 8]]))
    with pytest.raises(ForcingError, match=r"time 2001-01-02 00:00:00 appears twice; keep one"):
        run(retimed(days[[0, 1, 1, 2, 3, 4, 5, 6, 7, 8]]))
    with pytest.raises(
        ForcingError, match=r"2001-01-06.*follows 2001-01-03.*2 steps are missing; fill the gap in sight"
    ):
        run(retimed([*days[:3], *pd.date_range("2001-01-06", periods=7)]))
    with pytest.raises(ForcingError, match=r"expected steps of 1D; bring the data to the model's timestep"):
        run(retimed(pd.date_range("2001-01-01", periods=10, freq="6h")))


def test_a_shifted_time_is_not_aligned_silently():
    noon = retimed(pd.date_range("2001-01-01T12:00", periods=10))
    with pytest.raises(ForcingError, match=r"starts at 2001-01-02.*not one of the data's times"):
        run(noon, start="2001-01-02", end="2001-01-05")


def test_intervals_labelled_by_their_end_are_refused():
    data = weather(10, 2, seed=1)
    starts = data["time"].values - np.timedelta64(1, "D")
    bounds = np.stack([starts, data["time"].values], axis=1)
    data = data.assign(time_bnds=(("time", "bnds"), bounds))
    data["time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(ForcingError, match=r"expected the start of an interval of 1D, but time_bnds says 2000-12-31"):
        run(data)


def test_calendars_are_never_mixed():
    with pytest.raises(TimeError, match=r"noleap|standard"):
        run(weather(10, calendar="noleap", seed=1), calendar="standard")
    with pytest.raises(TimeError, match=r"datetime64, so their calendar is standard; expected noleap"):
        run(weather(10, seed=1), calendar="noleap")


def test_times_with_a_time_zone_or_without_dates_are_refused():
    zoned = retimed(pd.date_range("2001-01-01", periods=10, tz="Europe/Berlin"))
    with pytest.raises(ForcingError, match=r"time zone, got 10 of datetime64\[.*Europe/Berlin\]; use .*tz_convert"):
        run(zoned)
    with pytest.raises(ForcingError, match=r"at least a date.*, got 10 of int64.*decode_times=True"):
        run(retimed(np.arange(10)))
    with pytest.raises(ForcingError, match=r"dim time without a coordinate"):
        run(weather(10, seed=1).drop_vars("time"))


def test_wrong_dims_are_refused():
    with pytest.raises(ForcingError, match=r"expected the dims \['time', 'cell'\].*got \('time', 'station'\)"):
        run(weather(10, 2, seed=1).rename(cell="station"))


def test_any_order_of_dims_gives_the_same_answer():
    data = weather(10, 2, seed=1)
    assert np.array_equal(run(data.transpose("cell", "time"))["storage"], run(data)["storage"])


def test_empty_periods_and_short_data_are_refused():
    with pytest.raises((ForcingError, TimeError), match="empty|at least a date"):
        run(weather(10, seed=1).isel(time=slice(0, 0)))
    with pytest.raises(PeriodError, match="is empty"):
        run(weather(10, seed=1), start="2001-01-05", end="2001-01-05")
    with pytest.raises(PeriodError, match=r"needs forcing from 2001-01-01.*to 2001-01-20.*but the data hold"):
        run(weather(10, seed=1), end="2001-01-20")


def test_a_window_that_reaches_before_the_data_states_the_dates():
    class Past(StepComponent):
        inputs = (FieldSpec(name="precipitation", units="mm day-1", window=4),)
        outputs = (FieldSpec(name="seen", units="mm day-1"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["precipitation"][0]}, {}

    with pytest.raises(ForcingError, match=r"from 2000-12-30.*the windows need 3 earlier steps.*data hold 2001-01-01"):
        simulate(Past(), weather(10, seed=1), start="2001-01-02")


def test_static_fields_have_no_time_and_bring_units():
    class Slope(StepComponent):
        inputs = (
            FieldSpec(name="elevation", units="m", static=True),
            FieldSpec(name="precipitation", units="mm day-1"),
        )
        outputs = (FieldSpec(name="seen", units="m"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["elevation"] + 0.0 * inputs["precipitation"]}, {}

    data = weather(5, 2, seed=1)
    heights = data.assign(elevation=("cell", [1.0, 2.0], {"units": "km"}))
    assert simulate(Slope(), heights)["seen"].values[-1].tolist() == [1000.0, 2000.0]
    moving = data.assign(elevation=data["precipitation"])
    with pytest.raises(ForcingError, match=r"elevation: expected the dims \['cell'\]"):
        simulate(Slope(), moving)


def test_intervals_longer_or_shorter_than_the_timestep_are_refused():
    data = weather(10, 2, seed=1)
    starts = data["time"].values
    bounds = np.stack([starts, starts + np.timedelta64(1, "D")], axis=1)
    bounds[7, 1] += np.timedelta64(6, "h")
    data = data.assign(time_bnds=(("time", "bnds"), bounds))
    data["time"].attrs["bounds"] = "time_bnds"
    with pytest.raises(ForcingError, match=r"forcing time 2001-01-08.*time_bnds says 2001-01-08.*to 2001-01-09 06:00"):
        run(data)


def test_fill_values_in_single_precision_are_known():
    data = changed("potential_evaporation", put(1e20, 3, 1)).astype("float32")
    with pytest.raises(ForcingError, match=r"potential_evaporation.*1e\+20"):
        run(data)


def test_a_field_of_one_depth_is_not_found_by_standard_name_alone():
    class Deep(StepComponent):
        inputs = (FieldSpec(name="deep", units="degC", standard_name="soil_temperature", vertical=(0.0, 0.6)),)
        outputs = (FieldSpec(name="seen", units="degC"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["deep"]}, {}

    data = weather(4, seed=1)
    shallow = (("time", "cell"), np.full((4, 1), 9.0), {"units": "degC", "standard_name": "soil_temperature"})
    with pytest.raises(ForcingError, match="forcing lacks deep"):
        simulate(Deep(), data.assign(t10=shallow))
    assert float(simulate(Deep(), data.assign(deep=shallow))["seen"][0, 0]) == 9.0


def test_a_water_density_reaches_the_forcing():
    class Gauge(StepComponent):
        inputs = (FieldSpec(name="level", units="kg m-2"),)
        outputs = (FieldSpec(name="seen", units="kg m-2"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["level"]}, {}

    data = weather(3, seed=1).assign(level=(("time", "cell"), np.full((3, 1), 2.0), {"units": "mm"}))
    with pytest.raises(ForcingError, match=r"add a Connection with water_density="):
        simulate(Gauge(), data)
    snow = Connection("forcing.level", "gauge.level", water_density=300.0)
    assert float(simulate(Graph({"gauge": Gauge()}, [snow]), data)["seen"][0, 0]) == pytest.approx(0.6)


def test_a_named_grid_is_forced_under_its_own_dims():
    class Basin(Thermometer):
        grid = "basins"

    graph = Graph({"thermometer": Basin()}, grids={"basins": PointGrid([50.0, 51.0], [8.0, 8.0])})
    here = temperature(12.0, "degC")
    with pytest.raises(ForcingError, match=r"expected the dims \['time', 'cell_basins'\]"):
        simulate(graph, here)
    with pytest.raises(ForcingError, match=r"expected 2 along cell_basins, got 1"):
        simulate(graph, here.rename(cell="cell_basins"))
    two = xr.concat([here, here], "cell").rename(cell="cell_basins").transpose("time", ...)
    assert simulate(graph, two)["seen"].dims == ("time", "cell_basins")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell_methods": "time: variance"}, r"cell_methods 'time: variance'; expected time: mean or sum"),
        ({"cell_methods": "time: mean time: maximum (interval: 1 hour)"}, r"expected cell_methods 'time: mean', got"),
        ({"cell_methods": "time: mean within years time: mean over years"}, r"within years.*; expected time: mean or"),
        ({"cell_methods": "maximum"}, r"cell_methods 'maximum'; expected time: mean or sum"),
        ({"cell_methods": "time: sum"}, r"a sum over the step and a mean differ by a time, but 'mm day-1'"),
        ({"scale_factor": 0.1}, r"expected plain numbers.*scale_factor.*mask_and_scale=True"),
        ({"_FillValue": 0.0}, r"precipitation.*expected finite values"),
    ],
)
def test_attributes_that_change_the_meaning_are_not_overlooked(changes, message):
    with pytest.raises(ForcingError, match=message):
        run(changed("precipitation", **changes))


def test_only_numbers_are_forcing():
    data = weather(4, seed=1)
    for values in (data["precipitation"] > 0, data["precipitation"].astype(complex), data["precipitation"].astype(str)):
        with pytest.raises(ForcingError, match="expected plain numbers"):
            run(data.assign(precipitation=values.assign_attrs(units="mm day-1")))


def test_what_float32_cannot_hold_is_refused():
    class Wide(StepComponent):
        inputs = (FieldSpec(name="x", units="1"),)
        outputs = (FieldSpec(name="seen", units="1"),)

        def step(self, state, inputs, time):
            return {"seen": inputs["x"]}, {}

    data = weather(3, seed=1).assign(x=(("time", "cell"), np.full((3, 1), 1e39), {"units": "1"}))
    with pytest.raises(ForcingError, match=r"forcing x \[1\]: expected finite values.*got inf"):
        simulate(Wide(), data)


def test_a_coordinate_named_like_an_output_does_not_replace_it():
    data = weather(4, 2, seed=1).assign_coords(runoff=("cell", [7.0, 8.0]))
    assert run(data)["runoff"].dims == ("time", "cell")
    assert "runoff" in run(data).data_vars


def test_no_places_are_refused():
    with pytest.raises(ForcingError, match=r"expected 1 along cell, got 0"):
        run(weather(4, 2, seed=1).isel(cell=slice(0, 0)))


def test_times_as_text_are_refused_or_read():
    with pytest.raises((ForcingError, TimeError)):
        run(retimed([f"day {i}" for i in range(10)]))


def test_a_run_on_static_fields_alone_needs_a_period():
    class Lapse(StepComponent):
        inputs = (FieldSpec(name="altitude", units="m", static=True),)
        outputs = (FieldSpec(name="cooling", units="K"),)

        def step(self, state, inputs, time):
            return {"cooling": 0.0065 * inputs["altitude"]}, {}

    places = xr.Dataset({"altitude": ("cell", [100.0, 200.0], {"units": "m"})})
    for period in ({}, {"start": "2001-01-01"}, {"end": "2001-01-04"}):
        with pytest.raises(ForcingError, match="a run without forcing in time needs start= and end="):
            simulate(Lapse(), places, **period)
    result = simulate(Lapse(), places, start="2001-01-01", end="2001-01-04")
    assert result["cooling"].values.tolist() == [[pytest.approx(0.65), pytest.approx(1.3)]] * 3


def test_a_file_that_is_damaged_where_a_window_is_read_is_named(tmp_path):
    data, path = weather(40, 3, seed=1), tmp_path / "weather.nc"
    encoding = {"precipitation": {"chunksizes": (10, 3), "zlib": True}}
    data.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    with h5py.File(path) as file:
        third = file["precipitation"].id.get_chunk_info(2)
    content = bytearray(path.read_bytes())
    content[third.byte_offset : third.byte_offset + third.size] = bytes(third.size)
    path.write_bytes(content)
    message = (
        r"forcing precipitation: .*weather.nc cannot be read from 2001-01-15 00:00:00 to 2001-01-25 00:00:00: "
        r".*; mend the file"
    )
    with xr.open_dataset(path, engine="h5netcdf") as opened, pytest.raises(ForcingError, match=message):
        run(opened, window="10D")


def test_what_a_reader_says_of_its_lazy_values_is_not_told_as_damage():
    class Reader(xr.backends.BackendArray):
        shape, dtype = (40, 3), np.dtype("f4")

        def __getitem__(self, key):
            raise UnitError("pr: 12 values beyond their valid range in rain.nc; declare it")

    data = weather(40, 3, seed=1)
    lazy = xr.Variable(("time", "cell"), xr.core.indexing.LazilyIndexedArray(Reader()))
    lazy.attrs = data["precipitation"].attrs
    with pytest.raises(UnitError, match=r"^pr: 12 values beyond their valid range in rain.nc; declare it$"):
        run(data.assign(precipitation=lazy), window="10D")
