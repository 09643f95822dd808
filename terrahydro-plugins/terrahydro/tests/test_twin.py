"""The twin: five parts by name, their water budget, and what feedback does."""

import pytest
import torch
from terrahydro import twin, twin_weather, water_budget

from crest_core import ComponentError, CouplingError, Graph, registry, simulate

PROCESS = {
    "snow": "snow-degree-day", "soil": "soil-bucket", "surface": "et-penman-monteith", "carbon": "nee-light-response",
    "streamflow": "streamflow-routing",
}  # fmt: skip
SETTINGS = {
    "soil": {"isolation": "none"},
    "surface": {"altitude": 239.0},
    "carbon": {"hidden": 4, "drivers": ["air_temperature", "shortwave_down", "vapour_pressure_deficit",
                                        "shortwave_toa", "root_zone_soil_moisture"]},
}  # fmt: skip
DAYS = {"start": "2015-01-01", "end": "2015-05-01", "progress": False}


def made(**changes):
    generator = torch.Generator().manual_seed(1)
    settings = SETTINGS | changes.pop("settings", {})
    return twin(**(PROCESS | changes), settings=settings, generator=generator).double()


@pytest.fixture(scope="module")
def weather():
    return twin_weather("schwingbach")


@pytest.mark.parametrize(
    "wrong, words",
    [
        ({"snow": None}, "twin: snow None; expected a name of the registry, as 'snow-lstm-camels'"),
        ({"settings": ["soil"]}, r"twin: settings \['soil'\]; expected the arguments of parts"),
        ({"settings": {"soil": None}}, "twin: settings of soil: None; expected arguments by name, {} for none"),
        ({"root_zone_start": "0.3"}, "twin: root_zone_start '0.3'; expected a number, m3 m-3"),
    ],
)
def test_an_argument_of_another_kind_is_refused_in_words(wrong, words):
    with pytest.raises(CouplingError, match=words):
        twin(**wrong)


def test_water_closes_over_all_parts_to_1e_9_millimetres_a_day(weather):
    results = simulate(made(), weather, **DAYS)
    budget = water_budget(results, weather)
    for name in ("residual", "residual_snow", "residual_soil", "residual_streamflow"):
        assert float(abs(budget[name]).max()) < 1e-9
    assert float(budget["precipitation"].sum()) > 50.0


def test_what_a_learned_part_leaves_over_is_told(weather):
    forcing = ["liquid_water_flux", "subsurface_runoff", "air_temperature"]
    learned = made(
        streamflow="streamflow-lstm", settings={"streamflow": {"hidden": 4, "forcing": forcing, "attributes": {}}}
    )
    budget = water_budget(simulate(learned.eval(), weather, **DAYS), weather)
    assert float(abs(budget["residual_soil"]).max()) < 1e-9
    assert float(abs(budget["residual_streamflow"]).max()) > 1e-3
    total = budget["residual_snow"] + budget["residual_soil"] + budget["residual_streamflow"]
    assert float(abs(total - budget["residual"]).max()) < 1e-9


def test_a_network_without_runoff_takes_the_place_of_the_bucket(weather):
    small = {"hidden": 4, "forcing": ["liquid_water_flux"], "attributes": {}}
    graph = made(soil="soil-lstm", streamflow="streamflow-lstm", settings={"soil": {"hidden": 4}, "streamflow": small})
    results = simulate(graph.eval(), weather, **DAYS)
    budget = water_budget(results, weather)
    assert "residual_soil_and_streamflow" in budget
    assert results["soil_moisture"].sizes["soil_layer"] == 3


def test_networks_of_unlike_width_fit_in_one_graph():
    names = {"snow": "snow-lstm", "soil": "soil-lstm", "stitched": "cross-stitch"}
    made = {part: registry().load("components", name)(hidden=4 + i) for i, (part, name) in enumerate(names.items())}
    graph = Graph(made)
    assert sorted(size for dim, size in graph.dim_sizes.items() if dim.endswith("_unit")) == [4, 5, 6]


def test_feedback_holds_back_photosynthesis_where_the_soil_is_dry(weather):
    dry = {"soil": {"isolation": "none", "initial_soil_moisture": [0.12, 0.12, 0.12]}}
    runs = [simulate(made(feedback=feedback, settings=dry, root_zone_start=0.12), weather, **DAYS)
            for feedback in (True, False)]  # fmt: skip
    grown = [float(run["gross_primary_productivity"].isel(time=slice(0, 3)).sum()) for run in runs]
    assert 0.0 < grown[0] < 0.3 * grown[1]
    assert float(abs(runs[0]["surface_evapotranspiration"] - runs[1]["surface_evapotranspiration"]).max()) > 0.0


def test_gradients_run_from_the_gauge_to_the_snow_and_from_the_soil_to_the_carbon():
    report = made().gradient_report()
    assert report.status("snow parameters", "runoff_flux") == "estimated"  # through the Fortran soil
    assert report.status("soil parameters", "net_ecosystem_exchange") == "estimated"
    assert report.status("carbon parameters", "net_ecosystem_exchange") == "exact"


def test_the_loop_is_soil_and_surface_and_the_rest_runs_as_sequences():
    plan = str(made().plan())
    assert "loop, step by step: surface (autograd) -> soil" in plan
    assert "whole sequence: snow" in plan and "whole sequence: streamflow" in plan
    open_plan = str(made(feedback=False).plan())
    assert "loop" not in open_plan


def test_a_streamflow_whose_runoff_no_soil_hands_over_is_refused():
    told = r"'streamflow-routing' takes \['surface_runoff', 'subsurface_runoff'\], which soil 'soil-lstm' does not hand"
    with pytest.raises(CouplingError, match=told):
        made(soil="soil-lstm", settings={"soil": {"hidden": 4}})


def test_a_snow_that_rain_would_pass_by_is_refused():
    with pytest.raises(CouplingError, match=r"snow 'soil-bucket' hands over .* no 'liquid_water_flux'.*past it"):
        twin(snow="soil-bucket", streamflow="streamflow-routing")


def test_a_streamflow_that_evaporates_is_refused():
    with pytest.raises(
        CouplingError, match=r"streamflow 'streamflow-hbv' has soil and \['evapotranspiration'\] of its"
    ):
        twin(streamflow="streamflow-hbv")


def test_settings_of_no_part_and_members_that_are_not_there_are_refused():
    with pytest.raises(
        CouplingError, match=r"twin: settings of \['ocean'\]; the parts are \['snow', 'soil', 'surface'"
    ):
        made(settings={"ocean": {}})
    shipped = registry().load("components", "soil-bucket-schwingbach")
    for wrong in (9, 0, True, 1.0, "1"):
        with pytest.raises(
            ComponentError, match=rf"soil-bucket-schwingbach: member {wrong!r}; expected one of \[1, 2, 3"
        ):
            shipped(member=wrong)


def test_settings_that_a_part_does_not_take_are_told_with_the_part():
    told = r"twin: settings \['altitude', 'colour'.*\] of surface 'et-penman-monteith': got an unexpected .*'colour'"
    with pytest.raises(CouplingError, match=told):
        made(settings={"surface": {"altitude": 239.0, "colour": 1}})
    with pytest.raises(CouplingError, match=r"of surface 'et-penman-monteith': missing a required .*'altitude'"):
        made(settings={"surface": {}})
    with pytest.raises(CouplingError, match=r"of soil 'soil-bucket-schwingbach': .*'hidden'; it takes \['member'\]"):
        twin(settings={"soil": {"hidden": 4}})
