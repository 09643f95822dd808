"""What the two snow scripts share: a training loop that goes on where it was stopped, scores, and the record."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import commit, machine
from torch import Tensor

from crest_core import Component, Sizes, Tensors

RESULTS = Path(__file__).parent / "results" / "skill"
DISTRIBUTIONS = ("crest-core", "crest-data", "terrahydro-snow", "torch", "numpy")


@dataclass(frozen=True)
class Plan:
    """How long and how fast a model is trained; networks and physical numbers have rates of their own."""

    updates: int
    every: int  # updates between two looks at the validation part
    rate: float  # of networks
    physical_rate: float  # of physical parameters, in their logits
    clip: float = 1.0  # norm of the gradient


def data_folder() -> Path | None:
    """Return the folder of real data, None where CREST_DATA_DIR does not name one."""
    named = os.environ.get("CREST_DATA_DIR", "")
    return Path(named) if named and Path(named).is_dir() else None


def run(model: Component, inputs: Tensors) -> Tensors:
    """Return the outputs of a run from bare ground; inputs (time, cell), statics (cell,)."""
    moving = inputs["precipitation_flux"]
    state = model.initial_state(Sizes({"cell": moving.shape[-1]}, dtype=moving.dtype))
    return model(state, {spec.name: inputs[spec.name] for spec in model.inputs}, range(len(moving)))[0]


def train(
    model: Component,
    loss: Callable[[torch.Generator], Tensor],
    score: Callable[[], float] | None,
    plan: Plan,
    *,
    seed: int,
    checkpoint: Path,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Descend a loss, keep the weights of the lowest validation score, and go on from `checkpoint` if it is there.

    Without a `score` the last weights are kept: the later the better, in a resumed run, too. Windows are drawn from a
    generator of `seed`, dropout from torch's own stream, which the caller seeds; a run that was stopped goes on in
    both, bit for bit.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(_groups(model, plan))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=plan.updates + 1, pct_start=0.1
    )
    held: dict[str, Any] = {"update": 0, "best": float("inf"), "curve": [], "seconds": 0.0}
    best = {name: value.clone() for name, value in model.state_dict().items()}
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        generator.set_state(kept["generator"])
        if "dropout" in kept:  # a checkpoint of before has none
            torch.set_rng_state(kept["dropout"])
        held, best = kept["held"], kept["weights"]
    started = time.perf_counter() - held["seconds"]
    while held["update"] < plan.updates:
        optimiser.zero_grad()
        value = loss(generator)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
        optimiser.step()
        schedule.step()
        held["update"] += 1
        if held["update"] % plan.every and held["update"] != plan.updates:
            continue
        with torch.no_grad():
            now = score() if score else -float(held["update"])
        held["curve"].append([held["update"], float(value.detach()), now])
        held["seconds"] = time.perf_counter() - started
        if now < held["best"]:
            held["best"] = now
            best = {name: value.clone() for name, value in model.state_dict().items()}
        tell(
            f"update {held['update']}: loss {float(value.detach()):.4f}, validation {now:.4f}, {held['seconds']:.0f} s"
        )
        _keep(
            checkpoint,
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
                "dropout": torch.get_rng_state(),
                "held": held,
                "weights": best,
            },
        )
    model.load_state_dict(best)
    return {"updates": held["update"], "validation": held["best"], "seconds": round(held["seconds"], 1)}


def nse(simulated: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return NSE = 1 - sum (s - o)^2 / sum (o - mean o)^2 of each column (time, cell); Nash and Sutcliffe (1970)."""
    seen = np.isfinite(observed) & np.isfinite(simulated)
    simulated, observed = np.where(seen, simulated, np.nan), np.where(seen, observed, np.nan)
    spread = np.nansum((observed - np.nanmean(observed, 0)) ** 2, 0)
    return 1.0 - np.nansum((simulated - observed) ** 2, 0) / spread


def rmse(simulated: np.ndarray, observed: np.ndarray) -> float:
    """Return the root of the mean squared difference where both are there."""
    return float(np.sqrt(np.nanmean((simulated - observed) ** 2)))


def data_hash(arrays: Mapping[str, np.ndarray]) -> str:
    """Return a sha256 over the names and values that a model is trained and scored on."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype=np.float32).tobytes())
    return digest.hexdigest()


def line(name: str, value: float, unit: str, baseline: str, baseline_value: float | None, **more: Any) -> str:
    """Return one JSON line: a score beside that of a baseline, with code version, versions and date."""
    ratio = value / baseline_value if baseline_value else None
    record = {"name": name, "value": value, "unit": unit, "ratio": ratio, "interval": None, "baseline": baseline}
    record |= {
        "baseline_value": baseline_value,
        "commit": commit(),
        "machine": machine(),
        "threads": torch.get_num_threads(),
    }
    record |= {"versions": {one: version(one) for one in DISTRIBUTIONS}, "date": datetime.now(UTC).isoformat()} | more
    return json.dumps(record, default=float)


def put_down(text: str) -> None:
    """Write the line of a test as a file of its own among the results, unless one of more seeds is there."""
    record = json.loads(text)
    path = RESULTS / f"{record['name'].removeprefix('skill.')}.json"
    before = json.loads(path.read_text(encoding="utf-8")).get("seeds", []) if path.exists() else []
    if len(before) > len(record.get("seeds", [])):
        print(f"{path.name} is of seeds {before} and stays; run those, or remove it", file=sys.stderr)
        return
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _groups(model: Component, plan: Plan) -> list[dict[str, Any]]:
    physical = [value for name, value in model.named_parameters() if ".raw." in f".{name}"]
    others = [value for name, value in model.named_parameters() if ".raw." not in f".{name}"]
    groups = [{"params": physical, "lr": plan.physical_rate}, {"params": others, "lr": plan.rate}]
    return [group for group in groups if group["params"]]


def _keep(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(content, part)
    part.replace(path)
