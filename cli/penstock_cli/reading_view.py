"""Readings of the collector on a terminal: who searched, opened, exported, signed in, decided.

What doesn't belong: where they come from (`collector_client.py`). Nothing in them commands the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from penstock_cli.terminal_text import printable


def table(readings: Iterable[Mapping[str, Any]]) -> None:
    """One line each, latest first as given."""
    console = Console(soft_wrap=True)
    for one in readings:
        time = printable(one.get("time", ""))
        parts = [
            Text(f"{time[:10]} {time[11:19]}", "dim"),
            _who(one),
            _action(one),
            Text(printable(one.get("what", ""))),
        ]
        console.print(Text("  ").join(part for part in parts if part.plain))


def _who(one: Mapping[str, Any]) -> Text:
    by = one.get("by") or {}
    name = Text(printable(by.get("name", "nobody")), "bold")
    if by.get("issuer"):
        name.append(f" ({printable(by['issuer'])})", "not bold dim")
    client = one.get("client") or {}
    return name.append(f" from {printable(client['addr'])}", "not bold dim") if client.get("addr") else name


def _action(one: Mapping[str, Any]) -> Text:
    text = Text(printable(one.get("action", "?")))
    for name, style in (("result", "yellow"), ("reason", "dim")):
        if one.get(name):
            text.append(f" {printable(one[name])}", style)
    filters = one.get("filters") or []
    said = " ".join(f"{printable(part.get('name'))}={printable(part.get('value'))}" for part in filters)
    return text.append(f" {said}", "dim") if said else text
