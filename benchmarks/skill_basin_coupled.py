"""Skill of snow and streamflow alone, coupled in one graph, and tuned together; examples/basins has the experiment.

  skill.basin-coupled.MODELS.ARM   median over basins of the NSE of daily runoff, 1989-10-01 to 1999-09-30, by models
                                   trained on 1999-10-01 to 2008-09-30 of the same basins, mean over seeds; MODELS is
                                   degree-day+hbv or what --snow and --streamflow name, ARM is alone, coupled (snow
                                   trained on SWE and frozen) or joint (tuned on SWE and runoff at once)
  skill.basin-coupled.MODELS.snow-ARM   the same of snow water equivalent

  python benchmarks/skill_basin_coupled.py --phase validate        # to choose settings, without a look at the test
  python benchmarks/skill_basin_coupled.py --seed 1                # then --seed 1 2 3; a run that was stopped goes on

Data: the folder camels_us of CREST_DATA_DIR; basins where it snows. Baselines in each record: climatology of the years
of training and the observation of the day before. Table, scores by basin and the picture of a flood go to --folder.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from _report import commit, machine
from _skill_result import versions
from _skill_snow import put_down

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "basins"))
from basin_models import DISCHARGE
from basin_stages import ALONE, COUPLED, JOINT, SNOW_ALONE
from compare import BASELINES, Experiment, Scores, arguments, experiment, first_with

NAME = "skill.basin-coupled"
ARMS = {SNOW_ALONE: "alone", ALONE: "alone", COUPLED: "coupled", JOINT: "joint"}


def records(found: Experiment, facts: dict[str, Any], kinds: str) -> list[dict[str, Any]]:
    """Return a record of the NSE of each arm and target."""
    known = {(one.target, one.arm): one for one in found.scores if one.metric == "nse"}
    return [
        record(score, known, facts, f"{NAME}.{kinds}.{name_of(target, arm)}")
        for (target, arm), score in known.items()
        if arm in ARMS
    ]


def name_of(target: str, arm: str) -> str:
    """Return the last part of a record's name; the snow of HBV itself is told from that of the snow model."""
    if target == DISCHARGE:
        return ARMS[arm]
    return "snow-of-streamflow" if arm == ALONE else f"snow-{ARMS[arm]}"


def record(score: Scores, known: dict[tuple[str, str], Scores], facts: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one record: the score beside that of the model alone, or of the climatology where it is that model."""
    alone = first_with(score.target)
    baseline = "climatology" if score.arm == alone else alone
    baselines = {one: rounded(known[score.target, one].mean) for one in BASELINES}
    spread = None if score.spread is None else rounded(score.spread)
    return {
        "name": name, "value": rounded(score.mean), "unit": "median NSE", "ratio": None, "interval": None,
        "baseline": baseline, "baseline_value": rounded(known[score.target, baseline].mean), "gate": None,
        "verdict": "undecided", "spread": spread, "by_seed": [rounded(one) for one in score.by_seed],
        "baselines": baselines, "nse_by_basin_of_the_first_seed": [rounded(one) for one in score.by_basin], **facts,
    }  # fmt: skip


def rounded(value: float) -> float | None:
    """Return a number to four digits, None for nan."""
    return round(value, 4) if np.isfinite(value) else None


def main() -> None:
    """Run the experiment, print a line for each arm and keep the lines of a test."""
    given = arguments(doc=__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        given.folder = Path(scratch) if given.quick else given.folder
        found, basins, kinds, plan = experiment(given)
    facts = {
        "phase": "quick" if given.quick else given.phase, "seeds": given.seed, "basins": basins.ids,
        "period": basins.test, "training": basins.train, "data": basins.source, "data_hash": basins.hashes,
        "settings": {"plan": asdict(plan), "models": asdict(kinds)}, "flood": found.flood,
        "seconds": found.seconds, "commit": commit(), "versions": versions(), "machine": machine(),
        "threads": given.threads, "quick": given.quick, "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    for one in records(found, facts, kinds.name):
        line = json.dumps(one)
        print(line)
        if not given.quick and given.phase == "test":
            put_down(line)


if __name__ == "__main__":
    main()
