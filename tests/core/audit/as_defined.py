"""Bodies of events with all that their kind always has, so that a test says what it is about and no more."""

from __future__ import annotations

from penstock_core.audit.event import Event
from penstock_core.audit.fields import DEFINITIONS


def as_defined(body: Event) -> Event:
    """The body, with what its kind always has of its example where the body does not say."""
    definition = DEFINITIONS.get(body["kind"])
    always = [one.name for one in definition.fields if one.always] if definition is not None else []
    return {**{name: definition.example[name] for name in always}, **body} if definition is not None else body
