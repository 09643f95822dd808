"""Skill of soil moisture, ET and NEE alone, coupled one way or two, and tuned; examples/towers has the experiment.

  skill.towers-coupled.TARGET.ARM   mean over US-AR1, US-Wkg and CH-Lae of the NSE of daily soil moisture (0-0.6 m), ET
                                    or NEE on the last 30 % of the days of a tower, by models trained on the first 70 %
                                    of all, mean over seeds; TARGET is soil-moisture, et or nee, ARM is alone, one-way,
                                    one-way-tuned, two-way, two-way-tuned or cross-stitch

  skill.towers-drought.TARGET.ARM   the same by models that were trained on US-AR1 until the end of 2010 only: its
                                    drought of 2011, and 2012, are among what is scored

  python benchmarks/skill_towers_coupled.py --phase validate      # to choose settings, without a look at the test
  python benchmarks/skill_towers_coupled.py --seed 1              # then --seed 1 2 3; a run that was stopped goes on
  python benchmarks/skill_towers_coupled.py --phase drought --seed 1 2 3 --arm alone "two-way, tuned"   # and a picture

Data: the folders flux_towers and fluxnet2015 of CREST_DATA_DIR. US-Wkg and CH-Lae come from extractions under licences
that allow results and no weights to be passed on. Baselines in each record: climatology of the training part, gradient
boosting on weather and its running means, and the observation of the day before, which a simulation does not know.
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "towers"))
from compare import BASELINES, Experiment, Scores, arguments, experiment
from tower_models import ET, MOISTURE, NEE
from tower_stages import ALONE, ARMS

DISTRIBUTIONS = ("crest-core", "crest-training", "crest-samples", "crest-data", "crest-torch", "terrahydro",
                 "terrahydro-soil-moisture", "terrahydro-evapotranspiration", "terrahydro-carbon", "torch", "numpy",
                 "scikit-learn")  # fmt: skip
NAMES = {"test": "skill.towers-coupled", "drought": "skill.towers-drought"}
"""Of the records that are kept, by phase."""
SHORT = {MOISTURE: "soil-moisture", ET: "et", NEE: "nee"}


def records(found: Experiment, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a record of the NSE of each arm and target."""
    known = {(one.target, one.arm, one.metric): one for one in found.scores}
    return [
        record(known, target, arm, facts) for target, arm, metric in known if arm in ARMS and metric == "nse"
    ]  # fmt: skip


def record(known: dict[tuple[str, str, str], Scores], target: str, arm: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Return one record: the score beside that of the model alone, or of the climatology where it is that model."""
    score, error = known[target, arm, "nse"], known[target, arm, "rmse"]
    baseline = "climatology" if arm == ALONE else ALONE
    spread = None if score.spread is None else rounded(score.spread)
    name = f"{NAMES.get(facts['phase'], NAMES['test'])}.{SHORT[target]}.{arm.replace(', ', '-')}"
    return {
        "name": name, "value": rounded(score.mean), "unit": "mean NSE",
        "ratio": None, "interval": None, "baseline": baseline,
        "baseline_value": rounded(known[target, baseline, "nse"].mean), "gate": None, "verdict": "undecided",
        "spread": spread, "by_seed": [rounded(one) for one in score.by_seed],
        "baselines": {one: rounded(known[target, one, "nse"].mean) for one in BASELINES},
        "nse_by_tower": dict(zip(facts["towers"], map(rounded, score.by_tower), strict=True)),
        "rmse_by_tower": dict(zip(facts["towers"], map(rounded, error.by_tower), strict=True)),
        "rmse": rounded(error.mean), "rmse_by_seed": [rounded(one) for one in error.by_seed],
        "baselines_rmse": {one: rounded(known[target, one, "rmse"].mean) for one in BASELINES}, **facts,
    }  # fmt: skip


def rounded(value: float) -> float | None:
    """Return a number to four digits, None for nan."""
    return round(value, 4) if np.isfinite(value) else None


def main() -> None:
    """Run the experiment, print a line for each arm and keep those of a test or a drought."""
    given = arguments(doc=__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        given.folder = Path(scratch) if given.quick else given.folder
        found, towers, sizes, plan = experiment(given)
    facts = {
        "phase": "quick" if given.quick else given.phase, "seeds": given.seed, "towers": towers.ids,
        "scored_from": {one: str(day.date()) for one, day in towers.split.items()}, "data": towers.source,
        "data_hash": towers.hashes, "settings": {"plan": asdict(plan), "sizes": asdict(sizes)}, "event": found.event,
        "seconds": found.seconds, "commit": commit(), "versions": versions(DISTRIBUTIONS), "machine": machine(),
        "threads": given.threads, "quick": given.quick, "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    for one in records(found, facts):
        line = json.dumps(one)
        print(line)
        if not given.quick and given.phase in NAMES:
            put_down(line)


if __name__ == "__main__":
    main()
