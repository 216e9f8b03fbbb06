"""Statements that were over before their intent was written: of what is about to be sealed, each becomes one event.

It stands where the intent stood, so that who waits for the intent waits for no more than before. What doesn't belong:
what such an event holds (`whole_statement.py`), sealing (`sealing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from penstock_core.audit.event import Event
from penstock_sidecar.shipping.sealing import Entry
from penstock_sidecar.shipping.whole_statement import whole

_Place = tuple[int, int]


def joined(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries with one event in place of each intent and outcome that are both among them.

    The same entries where there are none; else as many as before, of which some may hold nothing any more.
    """
    found = _pairs(entries)
    if not found:
        return entries
    told: list[list[Event | None]] = [list(entry.bodies) for entry in entries]
    for (entry, place), (other_entry, other), body in found:
        told[entry][place], told[other_entry][other] = body, None
    return [
        Entry([body for body in bodies if body is not None], entry.when, entry.awaited)
        for bodies, entry in zip(told, entries, strict=True)
    ]


def _pairs(entries: Sequence[Entry]) -> list[tuple[_Place, _Place, Event]]:
    """The places of intents and outcomes that belong together, and what goes in place of both."""
    found: list[tuple[_Place, _Place, Event]] = []
    begun: dict[object, dict[object, tuple[_Place, Event]]] = {}
    for number, entry in enumerate(entries):
        for place, body in enumerate(entry.bodies):
            kind, session = body.get("kind"), body.get("session")
            if kind == "intent":
                begun.setdefault(session, {})[body.get("statement")] = (number, place), body
            elif session not in begun:
                continue
            elif kind == "outcome":
                intent = begun[session].pop(body.get("statement"), None)
                if intent is not None and (one := whole(intent[1], body)) is not None:
                    found.append((intent[0], (number, place), one))
            elif kind == "transaction":
                # It is told behind all statements of its transaction, and before those of the next.
                del begun[session]
    return found
