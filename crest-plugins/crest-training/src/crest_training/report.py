"""Report: a folder with scores, pictures and one HTML page that needs no network."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from math import isfinite
from pathlib import Path

import numpy as np
import xarray as xr

from crest_core import ForcingError, write_atomically
from crest_training import report_figures as figures
from crest_training.comparison import Comparison
from crest_training.evaluation import score_members, score_mixture
from crest_training.report_places import chosen, coordinates_of, flat
from crest_training.summary import Anchor, Row, metrics_of, summarise

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1080px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:1em 0}
td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}
td:first-child,th:first-child,td:nth-child(2),th:nth-child(2){text-align:left}
td:nth-child(2){white-space:normal}img{max-width:100%}
tr.first td{border-top:2px solid #999}.note{color:#555;font-size:13px}h2{margin-top:2em}"""
_HEADS = ("metric", "source", "median", "mean", "lower quartile", "upper quartile", "share below 0", "places")
_MAPPED = 4  # metrics, at most
_BINS = 10  # of the histogram of PIT values


def write_report(
    folder: str | Path,
    comparison: Comparison,
    scores: xr.Dataset,
    *,
    title: str = "",
    anchors: Sequence[Anchor] = (),
    places: Sequence[str] = (),
    note: str = "",
) -> Path:
    """Write scores.nc, summary.json, PNG files and index.html into a folder, and return the page.

    Distributions, maps and hydrographs are of the first metrics of `scores`; hydrographs of the best, the median and
    the worst place, of the largest flood, and of `places` by name. `note` says what a reader must know: data, split.
    """
    metrics = metrics_of(scores)
    if not metrics:
        raise ForcingError("report: the scores hold no metric; give `score` one or more")
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, tuple[str, bytes]] = {}
    first = [name for name in metrics if name in figures.EFFICIENCIES][:2] or metrics[:1]
    told = "Share of places at or below a value. Marks: medians that others published."
    pictures["distribution.png"] = (told if anchors else told.split(" Marks")[0], figures.png(
        figures.distribution(scores, first, anchors)))  # fmt: skip
    where = coordinates_of(scores)
    if where is not None and len(set(zip(*where, strict=True))) > 2:  # else a map says nothing
        pictures["maps.png"] = (
            "The model at each place; rings have no value.",
            figures.png(figures.maps(scores, metrics[:_MAPPED], where)),
        )
    spread = _spread(comparison)
    note = "; ".join(filter(None, [note, *(_told(*one) for one in spread)]))
    if comparison.members is not None:
        bars = _ranks(comparison)
        pictures["ranks.png"] = ("Ranks of the observations: a U says that the members are too alike.", figures.png(
            figures.ranks(bars, "rank of the observation among the members")))  # fmt: skip
    if comparison.mixture is not None:
        bars = _pit(comparison)
        pictures["pit.png"] = ("Where observations lie in the distributions: a U says that these are too narrow.",
            figures.png(figures.ranks(bars, "tenth of the distribution that holds the observation")))  # fmt: skip
    for place in chosen(comparison, scores, first[0], tuple(places)):
        safe = "".join(c if c.isalnum() else "_" for c in place.name)
        pictures[f"hydrograph_{safe}.png"] = (
            f"{place.name}, {place.why}: the year and the weeks around its highest observation.",
            figures.png(figures.hydrograph(comparison, scores, place, first[0])),
        )
    title = title or str(scores.attrs.get("title", "Evaluation"))
    rows = summarise(scores)
    for name, (_, picture) in pictures.items():
        write_atomically(path / name, picture)
    write_atomically(path / "scores.nc", bytes(scores.to_netcdf(engine="h5netcdf")))
    summary = _as_json(rows, anchors, title) | {"uncertainty": {who: _medians(found) for who, found in spread}}
    write_atomically(path / "summary.json", json.dumps(summary, indent=1).encode())
    page = _page(title, scores, rows, anchors, pictures, note)
    write_atomically(path / "index.html", page.encode())
    return path / "index.html"


def uncertainty_lines(comparison: Comparison) -> list[str]:
    """Return what the ensemble and the distributions of a comparison are worth, in words."""
    return [_told(*one) for one in _spread(comparison)]


def _spread(comparison: Comparison) -> list[tuple[str, xr.Dataset]]:
    """Return the scores of the ensemble and of the distributions, as far as there are any."""
    found = []
    if comparison.members is not None:
        found.append((f"ensemble of {comparison.members.sizes['member']} members", score_members(comparison)))
    if comparison.mixture is not None:
        count = next(iter(comparison.mixture.parts.values())).shape[1]
        found.append((f"distribution of {count} parts", score_mixture(comparison)))
    return found


def _medians(found: xr.Dataset) -> dict[str, float | None]:
    """Return the median over places of each score, null for nan."""
    values = {str(name): float(one.median()) for name, one in found.items()}
    return {name: value if isfinite(value) else None for name, value in values.items()}


def _told(who: str, found: xr.Dataset) -> str:
    values = ", ".join(f"{name} {float(one.median()):.3g} [{one.units}]" for name, one in found.items())
    return f"{who}, medians over places: {values}"


def _pit(comparison: Comparison) -> np.ndarray:
    """Return the share of observations in each tenth of their distributions, over all places (bin, 1)."""
    assert comparison.mixture is not None
    pit = comparison.mixture.pit(comparison.observed.values)
    counts, _ = np.histogram(pit[np.isfinite(pit)], bins=_BINS, range=(0.0, 1.0))
    return (counts / max(counts.sum(), 1))[:, np.newaxis]


def _ranks(comparison: Comparison) -> np.ndarray:
    from crest_training.metrics_ensemble import rank_histogram  # only here: slow to import

    assert comparison.members is not None
    return rank_histogram(flat(comparison.members), flat(comparison.observed))


def _as_json(rows: Sequence[Row], anchors: Sequence[Anchor], title: str) -> dict[str, object]:
    """Return what the table says, null for nan."""

    def plain(values: dict[str, object]) -> dict[str, object]:
        return {key: None if isinstance(one, float) and not isfinite(one) else one for key, one in values.items()}

    return {
        "title": title,
        "rows": [plain(asdict(row)) for row in rows],
        "published": [plain(asdict(anchor)) for anchor in anchors],
    }


def _page(
    title: str,
    scores: xr.Dataset,
    rows: Sequence[Row],
    anchors: Sequence[Anchor],
    pictures: dict[str, tuple[str, bytes]],
    note: str,
) -> str:
    told = [str(scores.attrs.get(key, "")) for key in ("output", "period")] + [note]
    shown = "".join(
        f'<figure><img alt="{escape(text)}" src="data:image/png;base64,{b64encode(picture).decode()}">'
        f'<figcaption class="note">{escape(text)}</figcaption></figure>'
        for text, picture in pictures.values()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f'<p class="note">{escape("; ".join(filter(None, told)))}</p>'
        f"<h2>Over all places</h2>{_table(rows, anchors)}"
        f'<h2>Pictures</h2>{shown}<h2>Metrics</h2><dl class="note">{_meanings(scores)}</dl></body></html>'
    )


def _table(rows: Sequence[Row], anchors: Sequence[Anchor]) -> str:
    lines = [f"<tr>{''.join(f'<th>{head}</th>' for head in _HEADS)}</tr>"]
    before = ""
    for number, row in enumerate(rows):
        units = "" if row.units == "1" else f" [{row.units}]"
        below = "" if row.below_zero is None else f"{100 * row.below_zero:.0f} %"
        counted = f"{row.places}" + (f" ({row.missing} without)" if row.missing else "")
        cells = [row.metric + units, row.source, *(_number(x) for x in (row.median, row.mean, row.low, row.high))]
        lines.append(_line([*cells, below, counted], first=row.metric != before))
        before = row.metric
        if number + 1 == len(rows) or rows[number + 1].metric != row.metric:
            for anchor in anchors:
                if anchor.metric == row.metric:
                    who = f"{anchor.name} (published{'; ' if anchor.note else ''}{anchor.note})"
                    lines.append(_line([anchor.metric, who, _number(anchor.median), *[""] * 5], first=False))
    return f"<table>{''.join(lines)}</table>"


def _line(cells: Sequence[str], *, first: bool) -> str:
    return f"<tr{' class=first' if first else ''}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}" if isfinite(value) else "no value"


def _meanings(scores: xr.Dataset) -> str:
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(scores[name].attrs.get('long_name', '')))}</dd>"
        for name in metrics_of(scores)
    )
