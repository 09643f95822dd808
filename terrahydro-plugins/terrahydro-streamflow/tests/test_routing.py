"""StreamflowRouting: balance, known answer, limits."""

from math import exp

import pytest
import torch
from terrahydro_streamflow import StreamflowRouting

from crest_core import Sizes


def inflow(days: int, seed: int = 1) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {
        name: 5.0 * torch.rand(days, 3, generator=draw, dtype=torch.float64)
        for name in ("surface_runoff", "subsurface_runoff")
    }


def start(model: StreamflowRouting) -> dict[str, torch.Tensor]:
    return model.initial_state(Sizes({"cell": 3}, dtype=torch.float64))


@pytest.mark.parametrize("residence_time", [0.06, 1.0, 25.0])
def test_what_flows_in_flows_out_or_is_on_its_way(residence_time):
    model = StreamflowRouting(residence_time=residence_time).double()
    given = inflow(200)
    with torch.no_grad():
        outputs, after = model(start(model), given, range(200))
    gone = outputs["runoff_flux"].sum(0) + after["channel_water"]
    torch.testing.assert_close(gone, sum(given.values()).sum(0), rtol=1e-12, atol=0)


def test_a_pulse_recedes_by_the_exponential():
    model = StreamflowRouting(residence_time=4.0).double()
    given = {name: torch.zeros(10, 3, dtype=torch.float64) for name in ("surface_runoff", "subsurface_runoff")}
    given["surface_runoff"][0] = 8.0
    with torch.no_grad():
        outputs, _ = model(start(model), given, range(10))
    runoff = outputs["runoff_flux"][:, 0]
    assert float(runoff[2] / runoff[1]) == pytest.approx(exp(-1.0 / 4.0), rel=1e-6)
    assert float(runoff[0]) == pytest.approx(8.0 - 8.0 * 4.0 * (1.0 - exp(-0.25)), rel=1e-5)  # k is float32


def test_steps_of_an_hour_add_up_to_the_day():
    day, hour = StreamflowRouting().double(), StreamflowRouting(timestep="1h").double()
    one = {name: value[:1] for name, value in inflow(1).items()}
    with torch.no_grad():
        daily, _ = day(start(day), one, range(1))
        hourly, _ = hour(start(hour), {name: value.expand(24, 3) for name, value in one.items()}, range(24))
    torch.testing.assert_close(hourly["runoff_flux"].mean(0), daily["runoff_flux"][0], rtol=1e-9, atol=0)
