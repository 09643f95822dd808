"""Reports: figures of the table are those of the metrics, the page needs no network, names are never markup."""

import json
import re

import numpy as np
import pytest
import xarray as xr
from crest_training import Anchor, Comparison, score, summarise, write_report
from crest_training.report_places import chosen, coordinates_of, names_of

from crest_core import ForcingError

PNG = b"\x89PNG\r\n\x1a\n"
ANCHOR = Anchor("Somebody <2019>", "nse", 0.7, "other basins")


def comparison(*, members: int = 0, places: int = 5) -> Comparison:
    """Places with errors that grow from the first to the last; the third was never observed."""
    generator = np.random.default_rng(1)
    times = xr.date_range("2001-01-01", periods=300, freq="1D")
    coords = {
        "time": times,
        "cell_id": ("cell", [f"<b>{n}$" for n in range(places)]),
        "lat": ("cell", np.linspace(40, 50, places), {"units": "degrees_north"}),
        "lon": ("cell", np.linspace(-100, -70, places), {"units": "degrees_east"}),
    }
    values = generator.exponential(size=(300, places))
    values[:, 2] = np.nan
    observed = xr.DataArray(values, dims=("time", "cell"), coords=coords, attrs={"units": "mm day-1"})
    error = np.linspace(0.1, 1.5, places)
    drawn = values[:, np.newaxis] + error * generator.normal(size=(300, max(members, 1), places))
    simulated = {"model": observed.copy(data=drawn.mean(axis=1)), "climatology": observed * 0 + 1.0}
    ensemble = xr.DataArray(drawn, dims=("time", "member", "cell"), coords={"time": times}) if members else None
    return Comparison("runoff", observed, simulated, ensemble)


def test_the_summary_is_that_of_the_places_that_have_a_value():
    scores = score(comparison(), ("nse", "fhv"))
    rows = {(row.metric, row.source): row for row in summarise(scores)}
    values = scores["nse"].sel(source="model").values
    row = rows["nse", "model"]
    assert (row.places, row.missing) == (4, 1)
    assert row.median == pytest.approx(np.nanmedian(values)) and row.mean == pytest.approx(np.nanmean(values))
    assert row.low == pytest.approx(np.nanquantile(values, 0.25)) and row.below_zero == np.mean(
        values[[0, 1, 3, 4]] < 0
    )
    assert rows["fhv", "model"].below_zero is None and rows["nse", "climatology"].below_zero == 1.0


def test_a_report_is_one_page_that_asks_for_nothing(tmp_path):
    compared = comparison(members=4)
    scores = score(compared, ("nse", "kge", "fhv"))
    page = write_report(tmp_path / "report", compared, scores, title="<script>", anchors=[ANCHOR], note="synthetic")
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["'](?!data:image/png;base64,)|url\(|@import|<script|<link|<b>""", text)
    assert "Somebody &lt;2019&gt; (published; other basins)" in text and "synthetic" in text and "4 (1 without)" in text
    assert "ensemble of 4 members, medians over places: crps" in text
    pictures = sorted(file.name for file in page.parent.glob("*.png"))
    assert {"distribution.png", "maps.png", "ranks.png"} < set(pictures) and len(pictures) >= 6
    assert all((page.parent / name).read_bytes().startswith(PNG) for name in pictures)
    assert text.count("<img ") == len(pictures)
    with xr.open_dataset(page.parent / "scores.nc") as again:
        xr.testing.assert_equal(again, scores)
    told = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    assert told["published"][0]["median"] == 0.7 and told["rows"][0]["metric"] == "nse"


def test_a_report_without_coordinates_members_or_efficiencies_has_what_is_left(tmp_path):
    compared = comparison()
    bare = {name: one.drop_vars(["lat", "lon", "cell_id"]) for name, one in compared.simulated.items()}
    compared = Comparison("runoff", compared.observed.drop_vars(["lat", "lon", "cell_id"]), bare)
    scores = score(compared, {"error": lambda simulated, observed: np.abs(simulated - observed).mean(axis=0)})
    with pytest.raises(ForcingError, match="place 'nowhere': there is none among 5"):
        write_report(tmp_path, compared, scores, places=("nowhere",))
    page = write_report(tmp_path, compared, scores, places=("2",))
    assert sorted(file.name for file in page.parent.glob("*.png")) == [
        "distribution.png", *(f"hydrograph_{n}.png" for n in (0, 3, 4)),
    ]  # fmt: skip


def test_the_best_the_median_and_the_worst_place_are_shown_once_each():
    compared = comparison()
    found = chosen(compared, score(compared, ("nse",)), "nse", ("<b>1$",))
    assert [place.number for place in found][:3] == [0, 3, 4] and found[0].why == "best by nse"
    assert len({place.number for place in found}) == len(found) and any(place.number == 1 for place in found)


def test_places_of_several_dims_are_named_by_all_of_them():
    values = xr.DataArray(np.zeros((4, 2, 3)), dims=("time", "y", "x"), coords={"y": [50.0, 51.0]})
    assert names_of(values)[:4] == ["50.0, 0", "50.0, 1", "50.0, 2", "51.0, 0"]
    grid = xr.Dataset(
        {"observations": (("y", "x"), np.zeros((2, 3)))}, {"lat": ("y", [1.0, 2.0]), "lon": ("x", [5.0, 6.0, 7.0])}
    )
    where = coordinates_of(grid)
    assert where is not None and where[0].tolist() == [5.0, 6.0, 7.0] * 2 and where[1].tolist() == [1.0] * 3 + [2.0] * 3


def test_a_report_without_metrics_and_an_anchor_without_number_are_told(tmp_path):
    with pytest.raises(ForcingError, match="hold no metric; give `score` one or more"):
        write_report(tmp_path, comparison(), score(comparison(), ()))
    with pytest.raises(ForcingError, match="anchor 'x': median nan; expected a name and a finite number"):
        Anchor("x", "nse", float("nan"))
