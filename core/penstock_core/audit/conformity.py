"""All that an event has, held against the definition of its version (`fields.py`): nothing more, nothing else.

The collector takes in what a newer gate may have more to tell (`schema.py`). Whoever verifies has to know what all of
it means: what no definition has, nobody wrote down. Of version 1, whose fields were not defined, only what all events
have is known (`essentials.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from functools import cache
from typing import Any

from penstock_core.audit.event import VERSION, Event
from penstock_core.audit.fields import CUT, DEFINITIONS, ENVELOPE, Field
from penstock_core.audit.schema import is_of

# Of one event so many are told.
_MOST = 5
_LONGEST_NAME = 60


def deviations(event: Event) -> list[str]:
    """What of an event with usable essentials is not as its version defines it, in words: at most a few."""
    if event["v"] != VERSION:
        return []
    kind = event["kind"]
    if kind not in DEFINITIONS:
        return [f"there is no kind {_shown(kind)} in version {VERSION}"]
    truncated = event.get("truncated")
    cut = {one for one in truncated if isinstance(one, str)} if isinstance(truncated, list) else set()
    return [one for one, _ in zip(_all(event, kind, cut), range(_MOST), strict=False)]


def _all(event: Event, kind: str, cut: Set[str]) -> Iterator[str]:
    fields = _fields(kind)
    yield from _within({name: value for name, value in event.items() if name not in cut}, fields, kind, cut)
    defined = {one.name: one for one in fields}
    for name in sorted(cut):
        if name not in defined or name not in event:
            yield f"it has cut {_shown(name)}, which it does not have"
        elif not _is_left_of(defined[name], event[name]):
            yield f"what it has left of {name} is not what is left of one"


@cache
def _fields(kind: str) -> Sequence[Field]:
    return (*ENVELOPE, *CUT, *DEFINITIONS[kind].fields)  # type: ignore[index] # looked up before


def _within(given: dict[str, Any], fields: Sequence[Field], of: str, cut: Set[str], path: str = "") -> Iterator[str]:
    defined = {one.name for one in fields}
    for name in given:
        if name not in defined:
            yield f"it has {path}{_shown(name)}, which {of} does not have"
    for field in fields:
        name = path + field.name
        if field.name not in given:
            if field.always and field.name not in cut:
                yield f"it has no {name}, which each {of} has"
            continue
        value = given[field.name]
        if field.many and not isinstance(value, list):
            yield f"{name} is no list"
            continue
        for one in value if field.many else (value,):
            if field.type == "object" and isinstance(one, dict):
                yield from _within(one, field.fields, name, frozenset(), f"{name}.")
            elif not is_of(field, one):
                yield f"{name} is not what it should be ({field.type})"
            elif field.one_of and one not in field.one_of:
                yield f"{name} is {_shown(one)}, and not one of {', '.join(field.one_of)}"


def _is_left_of(field: Field, value: Any) -> bool:
    """Whether `size.py` may have left that of it: the beginning of a text, nothing of a list or an object."""
    if field.many:
        return isinstance(value, list) and not value
    if field.type in ("text", "hash", "time"):
        return isinstance(value, str)
    return value is None or (isinstance(value, list) and not value) or is_of(field, value)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_NAME else text[:_LONGEST_NAME] + "…")
