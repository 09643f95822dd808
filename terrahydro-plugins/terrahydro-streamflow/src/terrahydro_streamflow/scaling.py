"""FieldScaling of crest-torch, by its name in the registry: a plugin imports no other."""

from typing import Any

from crest_core import registry

FieldScaling: Any = registry().load("parts", "field-scaling")
