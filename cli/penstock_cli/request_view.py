"""Requests for approval on a terminal: in short, or one with all that its approver has to know.

What doesn't belong: where they come from. Nothing in them controls the terminal or hides what stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from penstock_collector.approvals.wording import visible

Request = Mapping[str, Any]


def several(found: Sequence[Request], standing: str) -> None:
    """Each in three lines."""
    if not found:
        click.echo("no requests" if standing == "all" else f"no request is {standing}")
    for one in found:
        click.echo(f"{_head(one)}  {_deed(one)}{_rows(one, '  ')}")
        click.echo(f"    since {_time(one['madeAt'])}, until {_time(one['expiresAt'])}, {_rule(one)}")
        click.echo(f"    {_then(one)}")


def one(found: Request) -> None:
    """One, with its statement."""
    click.echo(_head(found))
    for name, value in _particulars(found):
        if value:
            click.echo(f"  {name + ':':<12} {value}")
    click.echo()
    if found["textDeleted"]:
        click.echo("  (the text went when the retention was over)")
    elif found["sql"] is None:
        click.echo("  (the statement holds values; it is shown to the approvers' groups)")
    else:
        for line in found["sql"].split("\n"):
            click.echo(f"  | {visible(line.expandtabs())}")
        if found["parameters"]:
            click.echo("  (its parameters have values that are not shown; an approval is good for these alone)")
    click.echo()
    click.echo(f"  {_then(found)}")


def decided(found: Request) -> None:
    """What was decided."""
    until = f"; it may run once, until {_time(found['expiresAt'])}" if found["decision"] == "approved" else ""
    click.echo(f"{found['name']} {found['decision']}: {_who(found)}, {_deed(found)}{until}")


def _head(one: Request) -> str:
    return f"{visible(one['name'])}  {one['standing']}  {_who(one)}"


def _who(one: Request) -> str:
    return " for ".join(visible(name) for name in one["requester"])


def _deed(one: Request) -> str:
    effect = one["effect"]
    verbs = visible(", ".join(effect.get("verbs", ()))).upper() or "a statement"
    tables = visible(", ".join(effect.get("tables", ())))
    return f"{verbs} on {tables}" if tables else verbs


def _rows(one: Request, before: str) -> str:
    estimated = one["effect"].get("estimatedRows")
    return "" if estimated is None else f"{before}about {round(estimated):,} row{'' if round(estimated) == 1 else 's'}"


def _rule(one: Request) -> str:
    groups = visible(", ".join(one["approvers"]))
    return f"held by {visible(one['policy'])}/{visible(one['approval'])}, to be approved by {groups}"


def _time(written: str) -> str:
    return f"{written[:10]} {written[11:19]} UTC"


def _then(one: Request) -> str:
    """What can be done about it, or what was."""
    comment = f": {visible(one['comment'])}" if one["comment"] else ""
    match one["standing"]:
        case "waiting":
            return visible(one["objection"] or one.get("command") or f"penstock requests approve {one['name']}")
        case "used":
            return f"approved by {visible(one['decidedBy'])}{comment}; used {_time(one['usedAt'])}"
        case "approved" | "denied":
            return f"{one['standing']} by {visible(one['decidedBy'])} {_time(one['decidedAt'])}{comment}"
        case _:
            return "expired; the statement has to be run again to ask anew"


def _particulars(one: Request) -> Iterator[tuple[str, str]]:
    effect = one["effect"]
    cost = effect.get("estimatedCost")
    yield "would do", _deed(one)
    yield "rows", _rows(one, "")
    yield "cost", "" if cost is None else f"{cost:g}"
    yield "masked", visible(", ".join(effect.get("masked", ())))
    yield "database", f"{visible(one['namespace'])}/{visible(one['database'])}"
    yield "asked by", _who(one)
    yield "from", visible(one["workload"])
    yield "reason", visible(one["reason"])
    yield "rule", _rule(one)
    yield "settings", ", ".join(f"{visible(name)}={visible(value)}" for name, value in (one["settings"] or {}).items())
    yield "since", _time(one["madeAt"])
    yield "until", _time(one["expiresAt"])
