"""Soil moisture and evapotranspiration in a feedback loop, on real data: train, judge, say how good it is.

A Fortran soil model and a neural-physical surface model, from two packages, run together day by day. One
gradient through both, over two years, calibrates the first and trains the second. The third year judges them.
Other experiment files may differ: experiment-2014.yaml has one year each, experiment-lstm.yaml a neural soil.
Run it as a script, or cell by cell in an editor that knows `# %%`.
"""

# %% What will be done: two small files
import argparse
import json
import logging
import sys
from pathlib import Path
from time import monotonic

import torch
from experiment import (
    METRICS,
    climatology,
    fresh_graph,
    load_experiment,
    read_data,
    run_moisture,
    save_trained,
    score,
    train,
)
from figures import draw_learning, draw_plan, draw_scores, draw_series
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("experiment", nargs="?", type=Path, default=HERE / "experiment.yaml")
parser.add_argument("--epochs", type=int, help="fewer for a quick look")
parser.add_argument("--seed", type=int, help="of the first weights of networks, instead of the run files' own")
parser.add_argument("--coupled-only", action="store_true", help="leave out the model without feedback")
parser.add_argument("--output", type=Path, help="folder of the results")
arguments = parser.parse_args([] if "ipykernel" in sys.modules else None)

began = monotonic()
torch.set_num_threads(1)  # tensors of one cell: threads only cost
logging.getLogger("matplotlib").setLevel(logging.WARNING)
experiment = load_experiment(arguments.experiment)
if arguments.epochs:
    quick = experiment.training.model_copy(update={"epochs": arguments.epochs})
    experiment = experiment.model_copy(update={"training": quick})
folder = arguments.output or experiment.output
folder.mkdir(parents=True, exist_ok=True)
console = Console(width=110)

# %% The data: what was measured, and what the reader had to repair
run, graph = fresh_graph(experiment.coupled, arguments.seed)
data = read_data(run, graph, experiment)
console.print(f"[bold]{data.attrs['title']}[/bold], {data.sizes['time']} days")
for key in ("source", "repairs", "remarks"):
    console.print(f"  {key}: {data.attrs[key]}")

for period in experiment.leave_out:
    console.print(f"  not trained on: {period.start} to {period.end}, since {period.why}")

# %% The plan: what runs in which order, what is converted, and how gradients are found
console.print(str(graph.plan()), markup=False)
console.print(str(graph.gradient_report()), markup=False, soft_wrap=True)
draw_plan(graph, folder / "plan.png")

# %% Before training
models = {"untrained": run_moisture(graph, data, experiment), "climatology": climatology(data, experiment)}

# %% Train both components together through the loop, then the same two without feedback
console.print("\n[bold]Training coupled[/bold] (surface <-> soil)")
records = {"coupled, trained": train(graph, data, experiment)}
if experiment.uncoupled and not arguments.coupled_only:
    console.print("\n[bold]Training uncoupled[/bold] (the surface sees a constant soil moisture)")
    _, uncoupled = fresh_graph(experiment.uncoupled, arguments.seed)
    records["uncoupled, trained"] = train(uncoupled, data, experiment)
    models = {"uncoupled, trained": run_moisture(uncoupled, data, experiment), **models}

# %% Run the trained model over all years, through a run file, as `crest run` does
results = save_trained(graph, run, experiment, folder)
models = {"coupled, trained": results["soil_moisture"], **models}

# %% Judge them on the year that nobody has seen
scores = {name: score(values, data, experiment) for name, values in models.items()}
depths = data.depth.values
table = Table(title=f"Soil moisture {experiment.test.start} to {experiment.test.end} (end excluded), not seen")
for heading in ("model", "depth", *METRICS):
    table.add_column(heading, justify="left" if heading == "model" else "right")
for name, found in scores.items():
    for layer, depth in enumerate(depths):
        numbers = [f"{found[metric][layer]:.3f}" for metric in METRICS]
        table.add_row(name if layer == 0 else "", f"{100 * depth:.0f} cm", *numbers, end_section=layer == 2)
console.print(table)
(folder / "scores.json").write_text(json.dumps({"depth_m": depths.tolist(), **scores}, indent=2))

draw_series(data, models, experiment, folder / "series.png")
draw_scores(scores, depths, folder / "scores.png")
draw_learning(records, folder / "learning.png")


# %% Say plainly how good it is
def won(model: str, baseline: str) -> str:
    """Return at which depths a model has the smaller error, in words."""
    ours, theirs = scores[model]["rmse"], scores[baseline]["rmse"]
    depth = [f"{100 * d:.0f}" for d, a, b in zip(depths, ours, theirs, strict=True) if a < b]
    return f"{len(depth)} of {len(depths)} depths" + (f" ({', '.join(depth)} cm)" if depth else "")


closure = results["net_radiation"] - results["ground_heat"] - results["latent_heat"] - results["sensible_heat"]
better = [f"  {name:<23} at {won('coupled, trained', name)}" for name in scores if name != "coupled, trained"]
console.print("\nHow good is it? By RMSE in the unseen period the coupled model is better than")
console.print("\n".join(better), markup=False, highlight=False)
console.print(
    f"""What it is not: one site, one year of test, one seed; soil moisture alone was observed, so evapotranspiration
is plausible at best. Other seeds differ as much as coupled and uncoupled do: see the README.
The energy balance closes to {float(abs(closure).max()):.1e} W m-2 (float32).
Results, figures, weights, restart and record: {folder}
Time: {monotonic() - began:.0f} s""",
    markup=False,
    highlight=False,
)
