"""Stage conservation: what comes in goes out or stays, in every step and column."""

from __future__ import annotations

import torch

from crest_core.component import Component, Tensors
from crest_core.testing.balance import Balance, Quantity, balance_of, residuals
from crest_core.testing.records import Check, Finding, failed, not_applicable, noted, passed, warned
from crest_core.testing.subject import Case, Subject, step_inputs
from crest_fields.clock import parse_timestep
from crest_fields.errors import UnitError

STEPS = 120
WARN = {"water": 1e-9, "energy": 1e-7, "carbon": 1e-11}
"""kg m-2 a step (a depth of water in mm), W m-2, kg m-2 a step (1e-8 g); as CTSM's BalanceCheckMod has them."""
FAIL = {"water": 1e-5, "energy": 1e-5, "carbon": 1e-10}
UNITS = {"water": "mm a step", "energy": "W m-2", "carbon": "kg m-2 a step"}


def water(subject: Subject) -> Finding:
    """Close the balance of water."""
    return _closes(subject, "water")


def energy(subject: Subject) -> Finding:
    """Close the balance of energy."""
    return _closes(subject, "energy")


def carbon(subject: Subject) -> Finding:
    """Close the balance of carbon."""
    return _closes(subject, "carbon")


def _closes(subject: Subject, quantity: Quantity) -> Finding:
    balances = [item for item in _declared(subject) if isinstance(item, Balance) and item.quantity == quantity]
    claimed = bool(balances) or quantity in _conserves(subject)
    component = subject.component
    balance = balances[0] if balances else balance_of(quantity, component, subject.dictionary)
    if balance is None:
        if claimed:
            return failed(
                f"{quantity} is declared as conserved, but the standard names show no balance; name its terms"
            )
        return _undeclared(subject, quantity)
    try:
        largest, mean, where = _residual(subject, balance)
    except UnitError as error:
        if claimed:
            return failed(f"the balance cannot be computed: {error}")
        return noted(
            f"it does not declare that it conserves {quantity}, and its fields show no balance: {error}; where it "
            f'does, write conserves = ("{quantity}: gain = loss + d(state)",) with the names of its fields'
        )
    text = f"largest residual {largest:.2g} {UNITS[quantity]} ({where}), mean {mean:.2g}: {_words(balance)}"
    if not claimed:
        return noted(
            f"it does not declare that it conserves {quantity}; {text}. Where it does, name all terms: "
            f'conserves = ("{balance}",) on the component makes this a rule'
        )
    if not largest <= FAIL[quantity]:
        return failed(f"{text}; expected at most {FAIL[quantity]:g}")
    if largest > WARN[quantity] and subject.dtype == torch.float64:
        return warned(f"{text}; expected at most {WARN[quantity]:g}")
    return passed(text)


def _undeclared(subject: Subject, quantity: Quantity) -> Finding:
    """Return a note on how to declare a balance, once, where nothing is declared and nothing can be computed."""
    others = [balance_of(name, subject.component, subject.dictionary) for name in ("water", "carbon")]
    if quantity != "water" or _conserves(subject) or any(others):
        return not_applicable(f"it does not declare that it conserves {quantity}")
    return noted(
        "conservation: none declared, and the standard names show no balance; where the model keeps one, write "
        'conserves = ("water: gain + gain = loss + d(state)",) with the names of its fields'
    )


def _declared(subject: Subject) -> list[str | Balance]:
    return [Balance.parse(item) if isinstance(item, str) and ":" in item else item for item in _conserves(subject)]


def _conserves(subject: Subject) -> tuple[str | Balance, ...]:
    """Return what the caller of the suite says first, then what the component says itself."""
    return (*subject.conserves, *subject.component.conserves)


def _residual(subject: Subject, balance: Balance) -> tuple[float, float, str]:
    component, case = subject.instance(), subject.case(STEPS, spin_up=1)
    outputs, states = _stepped(component, case)
    seconds = parse_timestep(component.timestep).total_seconds()
    left = residuals(balance, component, case.inputs, outputs, states, seconds)
    if balance.quantity == "energy":
        left = left / seconds
    if not left.dim():
        left = left.reshape(1)
    flat = int(left.abs().nan_to_num(nan=float("inf")).argmax())
    index = [int(i) for i in torch.unravel_index(torch.tensor(flat), left.shape)]
    return float(left.abs()[tuple(index)]), float(left.mean()), f"step {index[0]}, place {index[1:]}"


def _stepped(component: Component, case: Case) -> tuple[Tensors, list[Tensors]]:
    """Return the outputs (time first), and the states before every step and after the last."""
    states, kept = [dict(case.state)], []
    with torch.no_grad():
        for index, time in enumerate(case.times):
            outputs, state = component.step(states[-1], step_inputs(component, case.inputs, index), time)
            states.append(state)
            kept.append(outputs)
    return {name: torch.stack([outputs[name] for outputs in kept]) for name in kept[0]}, states


def _words(balance: Balance) -> str:
    plus, minus, kept = (" + ".join(names) for names in (balance.gains, balance.losses, balance.stores))
    return f"{plus} - ({minus or '0'}) - change of ({kept or 'nothing'})"


CHECKS = (
    Check("conservation.water", water, "water that a coupled model makes or loses adds up over the years",
          "return every flux that leaves, and change stores by just what flows"),
    Check("conservation.energy", energy, "the parts of the energy balance are handed on to other components",
          "compute the last part as the rest of the others"),
    Check("conservation.carbon", carbon, "budgets over decades stand on the closure of every step",
          "return every flux that leaves, and change pools by just what flows"),
)  # fmt: skip
