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
        nothing = {"all": "no requests", "due": "no request is waiting"}
        click.echo(nothing.get(standing, f"no request is {standing}"))
    for one in found:
        click.echo(f"{_head(one)}  {_deed(one)}{_rows(one, '  ')}")
        click.echo(f"    since {_time(one['madeAt'])}, until {_time(one['until'] or one['expiresAt'])}, {_rule(one)}")
        click.echo(f"    {_then(one)}")


def offers(found: Sequence[Request]) -> None:
    """The policies that can be asked for."""
    if not found:
        click.echo("no policy can be asked for, by what gates have said of late")
    for one in found:
        ways = []
        if one["longest"] is not None:
            ways.append(f"for {one['longest']} at most, to be approved by {_groups(one['approvers'])}")
        if one["longestEmergency"] is not None:
            longest = one["longestEmergency"]
            ways.append(
                f"in an emergency at once, for {longest} at most, to be reviewed by {_groups(one['reviewers'])}"
            )
        click.echo(f"{one['policy']}  database {one['namespace']}/{one['database']}: {'; '.join(ways)}")


def asked(found: Request) -> None:
    """What became of access that somebody asked for, ended or reviewed."""
    click.echo(f"{_head(found)}  {_deed(found)}")
    click.echo(f"    {_then(found)}")


def one(found: Request) -> None:
    """One, with its statement."""
    click.echo(_head(found))
    for name, value in _particulars(found):
        if value:
            click.echo(f"  {name + ':':<12} {value}")
    click.echo()
    if found["access"]:
        click.echo(f"  access by policy {visible(found['policy'])} for {found['access']}, for its requester alone")
    elif found["textDeleted"]:
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
    if found["until"]:
        until = f"; it lasts until {_time(found['until'])}"
    click.echo(f"{found['name']} {found['decision']}: {_who(found)}, {_deed(found)}{until}")


def _head(one: Request) -> str:
    return f"{visible(one['name'])}  {one['standing']}  {_who(one)}"


def _who(one: Request) -> str:
    return " for ".join(visible(name) for name in one["requester"])


def _deed(one: Request) -> str:
    if one["access"]:
        emergency = " in an emergency" if one["breakGlass"] else ""
        return f"access by policy {visible(one['policy'])} for {one['access']}{emergency}"
    effect = one["effect"]
    verbs = visible(", ".join(effect.get("verbs", ()))).upper() or "a statement"
    tables = visible(", ".join(effect.get("tables", ())))
    return f"{verbs} on {tables}" if tables else verbs


def _rows(one: Request, before: str) -> str:
    estimated = one["effect"].get("estimatedRows")
    return "" if estimated is None else f"{before}about {round(estimated):,} row{'' if round(estimated) == 1 else 's'}"


def _rule(one: Request) -> str:
    groups = _groups(one["approvers"])
    if one["breakGlass"]:
        return f"to be reviewed by {groups} until {_time(one['reviewBy'])}"
    if one["access"]:
        return f"to be approved by {groups}"
    return f"held by {visible(one['policy'])}/{visible(one['approval'])}, to be approved by {groups}"


def _other_rule(one: Request) -> str:
    """Another rule that holds the same statement, and how it stands with that."""
    who = f"by {visible(one['decidedBy'])}" if one["decidedBy"] else f"for {_groups(one['approvers'])}"
    return f"by {visible(one['policy'])}/{visible(one['approval'])}: {visible(one['name'])} {one['standing']} {who}"


def _groups(names: Sequence[str]) -> str:
    return visible(", ".join(names))


def _time(written: str) -> str:
    return f"{written[:10]} {written[11:19]} UTC"


def _then(one: Request) -> str:
    """What can be done about it, or what was."""
    comment = f": {visible(one['comment'])}" if one["comment"] else ""
    match one["standing"]:
        case "waiting":
            return visible(one["objection"] or _command(one, "approve"))
        case "unreviewed":
            late = "the review is overdue; " if one["overdue"] else ""
            return late + visible(one["objection"] or f"{_command(one, 'review')} --comment '…'")
        case "reviewed":
            return f"reviewed by {visible(one['reviewedBy'])} {_time(one['reviewedAt'])}: {visible(one['review'])}"
        case "in effect":
            by = "taken in an emergency" if one["breakGlass"] else f"approved by {visible(one['decidedBy'])}{comment}"
            until = _time(one["until"] or one["expiresAt"])
            return f"{by}; lasts until {until}. To end it: {visible(_command(one, 'end'))}"
        case "ended":
            early = f" by {visible(one['endedBy'])} {_time(one['endedAt'])}" if one["endedBy"] else ""
            return f"approved by {visible(one['decidedBy'])}{comment}; ended{early}"
        case "used":
            return f"approved by {visible(one['decidedBy'])}{comment}; used {_time(one['usedAt'])}"
        case "approved" | "denied":
            return f"{one['standing']} by {visible(one['decidedBy'])} {_time(one['decidedAt'])}{comment}"
        case _:
            again = "it has to be asked for anew" if one["access"] else "the statement has to be run again to ask anew"
            return f"expired; {again}"


def _command(one: Request, step: str) -> str:
    """What takes that step."""
    return str(one.get("commands", f"penstock requests {{step}} {one['name']}")).replace("{step}", step)


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
    for other in one.get("otherRules", ()):
        yield "held, too", _other_rule(other)
    yield "settings", ", ".join(f"{visible(name)}={visible(value)}" for name, value in (one["settings"] or {}).items())
    yield "since", _time(one["madeAt"])
    yield "until", _time(one["expiresAt"])
