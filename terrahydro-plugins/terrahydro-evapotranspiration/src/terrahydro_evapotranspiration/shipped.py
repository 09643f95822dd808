"""Weights that come with the package, three members: train.yaml makes them with the seeds 1, 2 and 3.

Their cards tell data, licence and skill.
"""

from pathlib import Path

from crest_core import registry

_load = registry().load("parts", "saved-model")
_folder = Path(__file__).parent / "models"

et_penman_monteith_ar1 = _load(_folder / "et-penman-monteith-ar1")
et_penman_monteith_ar1_2 = _load(_folder / "et-penman-monteith-ar1-2")
et_penman_monteith_ar1_3 = _load(_folder / "et-penman-monteith-ar1-3")
