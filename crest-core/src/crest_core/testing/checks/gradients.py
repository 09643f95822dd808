"""Stage gradients: what the backward pass gives is the slope of what was run, or the policy says that it is not."""

from __future__ import annotations

import torch

from crest_core.errors import GradientError
from crest_core.testing.edges import dry_edges
from crest_core.testing.laws import dot_product_error
from crest_core.testing.records import Check, Finding, doubts, failed, not_applicable, passed, verdict, warned
from crest_core.testing.slopes import Slopes
from crest_core.testing.subject import Subject

EDGE_LIMITS = {"exact": 1e-3, "estimated": 1e-2, "float32": 5e-2}
"""The same for one-sided differences at zero rain and empty stores, where a wrong slope is wrong by tens of percent."""
EXACT = ("autograd", "pullback", "mixed")
LIMITS = {"exact": 1e-6, "estimated": 1e-4, "float32": 2e-2}
"""Largest relative difference of a directional derivative from central differences of the best of several widths."""


def policy_honest(subject: Subject) -> Finding:
    """Look which results are on the tape."""
    component = subject.instance()
    outputs, state = Slopes(subject, component).results()
    on = [name for name, value in {**outputs, **state}.items() if value.requires_grad]
    off = [name for name in outputs if not outputs[name].requires_grad]
    policy = component.gradient_policy
    if policy == "none":
        return (
            warned(f"the policy is none, and yet {', '.join(on)} carry gradients") if on else passed("none are given")
        )
    if not on:
        return failed(f"the policy is {policy}, but no result is on the tape")
    return doubts([f"the policy is {policy}, but {', '.join(off)} are off the tape"] if off else [])


def inputs_slope(subject: Subject) -> Finding:
    """Hold gradients to inputs against central differences."""
    return _held(subject, "inputs")


def state_slope(subject: Subject) -> Finding:
    """Hold gradients to the state against central differences."""
    return _held(subject, "state")


def parameters_slope(subject: Subject) -> Finding:
    """Hold gradients to parameters against central differences."""
    return _held(subject, "parameters")


def dry_slope(subject: Subject) -> Finding:
    """Hold gradients at zero rain and empty stores against differences from inside the bounds."""
    policy = _policy(subject)
    if policy in ("none", "spsa"):
        return not_applicable(f"the policy is {policy}")
    kind = "exact" if policy in EXACT else "estimated"
    edges = list(
        dry_edges(subject, subject.instance(), EDGE_LIMITS[kind if subject.dtype == torch.float64 else "float32"])
    )
    if not edges:
        return not_applicable("no input is rain or snowfall, and no state has the lower bound 0")
    off = [edge for edge in edges if not edge.agrees]
    wrong = [str(edge) for edge in off if not edge.kink]
    if wrong:
        return failed("; ".join(wrong[:3]))
    return doubts([str(edge) for edge in off[:3]], f"{len(edges)} slopes")


def linear(subject: Subject) -> Finding:
    """Pull back two cotangents, and their sum."""
    why = _none(subject) or ("SPSA draws a direction at every call" if _policy(subject) == "spsa" else "")
    if why:
        return not_applicable(why)
    slopes = Slopes(subject, subject.instance())
    if not slopes.differentiable:
        return not_applicable("nothing that it takes can carry a gradient")
    generator = torch.Generator().manual_seed(subject.seed)
    first, second = slopes.cotangents(generator), slopes.cotangents(generator)
    both = [a * 1000.0 + b for a, b in zip(first, second, strict=True)]
    alone = [slopes.pulled(cotangents) for cotangents in (first, second, both)]
    if not all(bool(torch.isfinite(value).all()) for values in alone for value in values):
        return not_applicable("gradients are not finite")
    worst = 0.0
    for a, b, c in zip(*alone, strict=True):
        scale = float(c.abs().max()) or 1.0
        worst = max(worst, float((a * 1000.0 + b - c).abs().max()) / scale)
    limit = 1e-9 if subject.dtype == torch.float64 else 1e-4
    text = f"J^T (1000 u + v) and 1000 J^T u + J^T v differ by {worst:.1g} of the largest"
    return passed(text) if worst <= limit else failed(text)


def dot_product(subject: Subject) -> Finding:
    """Hold <J v, w> against <v, J^T w>."""
    policy = _policy(subject)
    if policy != "autograd":
        return not_applicable(
            f"the policy {policy} has first derivatives only; gradients.linear looks at its transpose"
        )
    slopes = Slopes(subject, subject.instance())
    arguments, function = slopes.function()
    if not arguments:
        return not_applicable("nothing that it takes can carry a gradient")
    try:
        error = dot_product_error(function, arguments, torch.Generator().manual_seed(subject.seed))
    except GradientError as problem:
        return not_applicable(str(problem))
    except RuntimeError as problem:
        return not_applicable(f"second derivatives are not built: {problem}")
    limit = 1e-11 if subject.dtype == torch.float64 else 1e-4
    text = f"<J v, w> and <v, J^T w> differ by {error:.1g}"
    return passed(text) if error <= limit else failed(text)


def finite(subject: Subject) -> Finding:
    """Pull a loss back through 60 steps."""
    why = _none(subject)
    if why:
        return not_applicable(why)
    slopes = Slopes(subject, subject.instance(), steps=60)
    if not slopes.differentiable:
        return not_applicable("nothing that it takes can carry a gradient")
    pulled = slopes.pulled(slopes.cotangents(torch.Generator().manual_seed(subject.seed)))
    bad = [name for name, value in zip(slopes.names, pulled, strict=True) if not bool(torch.isfinite(value).all())]
    largest = max((float(value.abs().max()) for value in pulled if value.numel()), default=0.0)
    return verdict([f"not finite after 60 steps: {', '.join(bad)}"] if bad else [], f"largest {largest:.2g}")


def reach(subject: Subject) -> Finding:
    """Look for parameters and inputs that no result reacts to."""
    why = _none(subject)
    if why:
        return not_applicable(why)
    slopes = Slopes(subject, subject.instance())
    if not slopes.differentiable:
        return not_applicable("nothing that it takes can carry a gradient")
    pulled = slopes.pulled(slopes.cotangents(torch.Generator().manual_seed(subject.seed)))
    dead = [name for name, value in zip(slopes.names, pulled, strict=True) if not bool(value.abs().max() > 0)]
    return doubts([f"no result reacts to {', '.join(dead)} in this run"] if dead else [])


def _held(subject: Subject, group: str) -> Finding:
    why = _none(subject)
    if why:
        return not_applicable(why)
    policy = _policy(subject)
    if policy == "spsa":
        return not_applicable("SPSA is right on average only, and says so by its policy")
    slopes = Slopes(subject, subject.instance(), only=group)
    if not slopes.differentiable:
        return not_applicable(f"it has no {group} of real numbers" + (" to train" if group == "parameters" else ""))
    limit = LIMITS["float32"] if subject.dtype != torch.float64 else LIMITS["exact" if policy in EXACT else "estimated"]
    error, text = slopes.against_differences(torch.Generator().manual_seed(subject.seed))
    if not error <= limit:
        return failed(f"{text}; expected at most {limit:g} for the policy {policy}")
    return passed(text)


def _policy(subject: Subject) -> str:
    return subject.plain.gradient_policy


def _none(subject: Subject) -> str:
    return "the policy is none" if _policy(subject) == "none" else ""


_STEPS = (
    "finite differences see noise and jumps: solve to a tight tolerance, and give bounds that are not far too wide, by "
    "which the step is measured; a pullback of your own must be the slope of the function"
)
"""How a black box keeps its slopes."""
CHECKS = (
    Check("gradients.policy-honest", policy_honest, "gradient reports of a graph repeat what the policy says",
          "leave no tensor the tape by detach, numpy or no_grad, or say gradient_policy = 'none'",
          "take a strategy that fits: FiniteDifference(), SPSA(generator), or NoGradient() for none"),
    Check("gradients.inputs", inputs_slope, "data assimilation and coupled training follow these gradients",
          "correct the backward pass or the pullback", _STEPS),
    Check("gradients.state", state_slope, "gradients reach back in time through the state",
          "put no detach between steps; correct the pullback of the state", _STEPS),
    Check("gradients.parameters", parameters_slope, "training and calibration follow these gradients",
          "correct the backward pass or the pullback; keep parameters as nn.Parameter", _STEPS),
    Check("gradients.dry", dry_slope, "on most days it does not rain, and in summer there is no snow",
          "jnp.clip, jnp.maximum and torch.maximum share the gradient at a tie; choose the side inside by where",
          "finite differences miss jumps and bends within a step: make it smooth there, or give a pullback of yours"),
    Check("gradients.linear", linear, "the backward pass is a linear map of the cotangent",
          "clip or scale gradients in the optimiser, not in the component",
          "a pullback of your own must be linear in the cotangent; a function that finite differences see, repeatable"),
    Check("gradients.dot-product", dot_product, "second derivatives need a backward pass that is on the tape itself",
          "write the backward of an autograd.Function from torch operations, or mark it once_differentiable"),
    Check("gradients.finite", finite, "one gradient that is not finite ends a training",
          "take care of sqrt(0), 0 ** p and log(0); torch.where does not stop the gradient of the branch not taken",
          "let the function give finite numbers a little beyond what comes in too, where finite differences look"),
    Check("gradients.reach", reach, "what nothing reacts to cannot be trained, and need not be handed in",
          "use it, or take it out"),
)  # fmt: skip
