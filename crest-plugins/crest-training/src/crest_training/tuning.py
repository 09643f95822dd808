"""Tuning: values of keys of a training file that give the best validation loss, found by optuna."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from crest_core import GradientError
from crest_training.members import changed_keys
from crest_training.train_file import TrainFile, TrainFileError, load_train_file
from crest_training.train_sections import Section
from crest_training.workflow import run_training

if TYPE_CHECKING:
    import optuna

JOURNAL = "tuning.log"


class RangeSection(Section):
    """What a key may be: numbers from low to high, or one of some choices."""

    low: int | float | None = None
    """Smallest number; whole numbers where low and high are whole."""
    high: int | float | None = None
    """Largest number."""
    log: bool = False
    """Draw along the logarithm, as for learning rates."""
    choices: list[bool | int | float | str] | None = None
    """In place of low and high."""

    @model_validator(mode="after")
    def _one(self) -> RangeSection:
        numbers = self.low is not None and self.high is not None and self.low < self.high
        if self.log and not (self.low or 0) > 0:
            raise PydanticCustomError("choice", "expected low above 0 with log")
        if numbers == bool(self.choices) or (self.choices and (self.low is not None or self.high is not None)):
            raise PydanticCustomError("choice", "expected low below high, or choices")
        return self


Search = dict[str, Annotated[RangeSection, Field()]]


@dataclass(frozen=True)
class Tuned:
    """The best values, their validation loss, and how many complete trainings were compared."""

    values: Mapping[str, Any]
    loss: float
    trials: int


def tune(path: str | Path, search: Mapping[str, Any], *, trials: int, seed: int, progress: bool | None = None) -> Tuned:
    """Train with other values of some keys ("optimiser.network_rate"), until `trials` trainings are complete or failed.

    `search` gives the range of each key: {"low": ..., "high": ..., "log": True} or {"choices": [...]}. The first seed
    of the file is trained, in the folders `tuning/trial-<n>` beneath that of the file; the journal there lets a later
    call go on. Only the validation period decides. Values are proposed by the tree-structured Parzen estimator of
    optuna (Akiba et al. 2019, doi:10.1145/3292500.3330701), seeded.
    """
    ranges = _ranges(search)
    file = load_train_file(path)
    if file.validation is None:
        raise TrainFileError(f"{path}: tuning needs the key validation: it compares the loss on that period")
    _check_values(path, ranges)
    folder = file.target / "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(folder, seed)
    _check_same(study, file, ranges, folder)

    def loss_of(trial: optuna.Trial) -> float:
        values = {key: _suggest(trial, key, one) for key, one in ranges.items()}
        own = {**values, "folder": str((folder / f"trial-{trial.number}").resolve())}
        (member,) = run_training(
            load_train_file(path, own),
            seeds=file.seeds[:1],
            resume=True,
            progress=False if progress is None else progress,
        )
        return min(loss for loss in member.record.validation if not isnan(loss))

    complete = sum(trial.state.name == "COMPLETE" for trial in study.trials)
    if trials > complete:
        study.optimize(loss_of, n_trials=trials - complete, catch=(GradientError,))
    if not any(trial.state.name == "COMPLETE" for trial in study.trials):
        raise GradientError(f"tune: none of {len(study.trials)} trainings had a finite loss; search smaller rates")
    complete = sum(trial.state.name == "COMPLETE" for trial in study.trials)
    return Tuned(study.best_params, study.best_value, complete)


def _ranges(search: Mapping[str, Any]) -> Search:
    try:
        found = TypeAdapter(Search).validate_python(dict(search))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise TrainFileError(f"search {place}: {first['msg']}, got {first['input']!r}") from error
    if not found:
        raise TrainFileError("search: expected one key or more with its range, such as optimiser.network_rate")
    return found


def _check_values(path: str | Path, ranges: Search) -> None:
    """Refuse a key or a value that the file could not have, before anything is trained."""
    for key, one in ranges.items():
        if key.split(".")[0] in ("seeds", "folder"):
            raise TrainFileError(f"search {key}: tuning sets it itself; search other keys")
        for value in one.choices or (one.low, one.high):
            try:
                load_train_file(path, {key: value})
            except TrainFileError as error:
                raise TrainFileError(f"search {key}, value {value!r}: {error}") from error


def _check_same(study: optuna.Study, file: TrainFile, ranges: Search, folder: Path) -> None:
    """Keep what the study searches, or refuse to go on with another search or another file."""
    now = {key: one.model_dump(mode="json") for key, one in ranges.items()}
    before, keys = (study.user_attrs.get(name) for name in ("search", "keys"))
    if before is None:
        study.set_user_attr("search", now)
        study.set_user_attr("keys", file.model_dump(mode="json"))
        return
    if before != now:
        told = ", ".join(f"{key}={one}" for key, one in before.items())
        raise TrainFileError(f"{folder} holds another search: {told}; go on with that, or take another folder")
    if changed := changed_keys(file, keys or {}):
        raise TrainFileError(
            f"{folder} was begun with other keys: {', '.join(changed)}; go on with the same, or take another folder"
        )


def _study(folder: Path, seed: int) -> optuna.Study:
    """Return the study of a folder; a sampler that goes on draws from another stream than the one that began."""
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise TrainFileError("tune: this needs optuna: pip install optuna") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.create_study(study_name="tuning", storage=storage, load_if_exists=True)
    study.sampler = optuna.samplers.TPESampler(seed=(seed + len(study.trials)) % 2**32)
    return study


def _suggest(trial: optuna.Trial, key: str, one: RangeSection) -> Any:
    if one.choices:
        return trial.suggest_categorical(key, one.choices)
    low, high = one.low, one.high
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=one.log)
    return trial.suggest_float(key, float(low or 0.0), float(high or 0.0), log=one.log)
