"""Writes docs/events.md and docs/event.schema.json: the audit events, from their one definition.

python -m docs.events --write      python -m docs.events --check
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.pages import main

from penstock_core.audit.event import VERSION
from penstock_core.audit.fields import CUT, DEFINITIONS, ENVELOPE, Field
from penstock_core.audit.schema import json_schema

DOCS = Path(__file__).resolve().parent
HEAD = f"""# Audit events

What the trail holds, as `penstock audit export` and the collector's API give it: one JSON object for each event.
Generated from `core/penstock_core/audit/fields.py` by `make events`; for programs there is
[event.schema.json](event.schema.json), a JSON Schema.

This is version {VERSION}. Events of version 1 are read, searched and verified as they are; they have no `policy` and
`transaction`, and one intent and outcome for a text of several statements. Fields and kinds may be added within a
version: leave what you do not know. Upgrade the collector before the gates.

Each event is chained to the one before it: its `hash` is SHA-256 of its canonical bytes (RFC 8785) without `hash`, and
`prev` is the hash before. The collector takes no event with a field of another type than is said here: it is put aside,
with an alarm. **Bold** fields are there always, others only where there is something to say.
"""
_TYPES = {
    "text": "text", "hash": "64 hex digits", "time": "time", "whole": "whole number", "flag": "true or false",
    "object": "object", "any": "anything",
}  # fmt: skip


def pages() -> Iterable[tuple[Path, str]]:
    """Both files, as they should be."""
    schema = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    return (DOCS / "events.md", "\n".join(_page()) + "\n"), (DOCS / "event.schema.json", schema)


def _page() -> Iterator[str]:
    yield HEAD
    yield "## All events\n"
    yield from _table(ENVELOPE)
    yield "\nAnd of one that was too large:\n"
    yield from _table(CUT)
    for kind, definition in DEFINITIONS.items():
        yield f"\n## {kind}\n\n{definition.words}\n"
        if definition.fields:
            yield from _table(definition.fields)
            yield ""
        yield f"```json\n{json.dumps(definition.example, indent=2, ensure_ascii=False)}\n```"


def _table(fields: Iterable[Field]) -> Iterator[str]:
    yield "| Field | Type | What it says |"
    yield "|---|---|---|"
    yield from _rows(fields)


def _rows(fields: Iterable[Field], path: str = "") -> Iterator[str]:
    for one in fields:
        name = f"`{path}{one.name}`"
        kind = _TYPES[one.type] if not one.one_of else ", ".join(f"`{value}`" for value in one.one_of)
        yield f"| {f'**{name}**' if one.always else name} | {'list of: ' * one.many}{kind} | {one.words} |"
        yield from _rows(one.fields, f"{path}{one.name}{'[]' * one.many}.")


if __name__ == "__main__":
    sys.exit(main(__doc__, pages(), "events"))
