"""Logins on a terminal: each a line of who, from where and how it ended, and below it why, and what was claimed.

What doesn't belong: where they come from. Nothing in them is taken for markup or for control of the terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from penstock_cli.statement_view import when
from penstock_cli.terminal_text import printable

_OUTCOMES = {"accepted": "green", "refused": "red"}


def table(logins: Iterable[Mapping[str, Any]]) -> None:
    """As given, latest first."""
    console = Console(soft_wrap=True)
    for one in logins:
        outcome = Text(printable(one["outcome"]), _OUTCOMES.get(one["outcome"], "yellow"))
        if one["count"] > 1:
            outcome.append(f" {one['count']} times", "bold")
        who = Text(printable(one["identity"] or "nobody"))
        console.print(Text("  ").join([when(one), outcome, who, Text(_session(one), "dim")]))
        for line in _particulars(one):
            console.print(Padding(line, (0, 0, 0, 4)))


def _particulars(one: Mapping[str, Any]) -> Iterable[Text]:
    if one["reason"]:
        sqlstate = f" ({printable(one['sqlstate'])})" if one["sqlstate"] else ""
        yield Text(f"{printable(one['reason'])}{sqlstate}", "red")
    if one["claimed"]:
        yield Text(f"claims to be {printable(one['claimed'])}", "yellow")
    said = {"from": "address", "user": "username", "application": "application", "database": "dbname"}
    yield Text(", ".join(f"{word} {printable(one[name])}" for word, name in said.items() if one[name]), "dim")


def _session(one: Mapping[str, Any]) -> str:
    """How the session went that came of it."""
    if one["outcome"] != "accepted":
        return ""
    if one["ended"] is None:
        return "running"
    counted = "" if one["statements"] is None else f", {one['statements']} statements"
    seconds = "" if one["duration_us"] is None else f", {one['duration_us'] / 1e6:.1f} s"
    return f"ended{counted}{seconds}: {printable(one['end_reason'] or '')}".removesuffix(": ")
