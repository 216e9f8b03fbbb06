"""What the models already hold and nothing carries out yet: one table.

A field in it is refused in words, by `load` and `parse`, by a Bundle and by the API server, rather than ignored: who
writes a guardrail must be able to rely on it. Whoever builds the effect deletes the row, and runs `make crds`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unsupported:
    """One field without effect so far."""

    kind: str
    # Where it is: `spec.masks[].with`; "" is the resource as a whole.
    path: str
    # What to do until then.
    remedy: str

    @property
    def field(self) -> str:
        """The field's own name, without where it is."""
        return self.path.rpartition(".")[2] or self.kind

    @property
    def message(self) -> str:
        """What the person who wrote it is told."""
        return f"not supported yet: {self.field}; {self.remedy}"


UNSUPPORTED: tuple[Unsupported, ...] = ()


def unsupported_in(document: Mapping[str, object]) -> Iterator[tuple[Location, str]]:
    """Each place in a resource (as plain data, also an invalid one) that asks for what is not there, and the words."""
    for row in UNSUPPORTED:
        if row.kind != document.get("kind"):
            continue
        if not row.path:
            yield ("kind",), row.message
            continue
        for location in _at(document, tuple(row.path.split(".")), ()):
            yield location, row.message


def _at(value: object, steps: tuple[str, ...], location: Location) -> Iterator[Location]:
    """Every place at the path `steps`; a field that is absent or null is not there."""
    if value is None:
        return
    if not steps:
        yield location
        return
    step = steps[0].removesuffix("[]")
    if not isinstance(value, Mapping) or value.get(step) is None:
        return
    here = (*location, step)
    if step == steps[0]:
        yield from _at(value[step], steps[1:], here)
    elif isinstance(value[step], list | tuple):
        for place, item in enumerate(value[step]):
            yield from _at(item, steps[1:], (*here, place))
