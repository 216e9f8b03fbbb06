"""`penstock requests`: what waits for approval, deciding it, asking for access for a time, and reviewing it.

What doesn't belong: talking to the collector (`collector_client.py`), who may decide (the collector says).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from penstock_cli.collector_options import connect, connection
from penstock_cli.failures import known_answer
from penstock_cli.list_by_default import ListByDefault
from penstock_cli.request_output import DUE, lasts_option, printed, standing_option

_POLICY = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a request's name is like r-7k3f-9m2q; `penstock requests` lists them")
    return value


def _policy(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _POLICY.fullmatch(value):
        raise click.BadParameter("a policy's name; `penstock requests offers` lists those that can be asked for")
    return value


@click.group(cls=ListByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List and decide requests for approval; ask for access for a time, end it, review it. By itself: list."""


_json = click.option("--json", "as_json", is_flag=True, help="JSON.")
_named = click.argument("name", callback=_name)


@command.command("list")
@connection
@standing_option
@_json
def list_command(url: str | None, token_file: Path | None, ca_file: Path | None, standing: str, as_json: bool) -> None:
    """List requests, latest first: who asks for what, until when, and what is to be done about it."""
    with connect(url, token_file, ca_file) as client:
        found = client.requests({"all": "", DUE: "due"}.get(standing, standing))
    _print(found, as_json, lambda view: view.several(found, standing))


@command.command
@_named
@connection
@_json
def show(name: str, url: str | None, token_file: Path | None, ca_file: Path | None, as_json: bool) -> None:
    """Show one request: the statement in full, what it would do, who asks, and what became of it."""
    with connect(url, token_file, ca_file) as client:
        found = client.request(name)
    _print([found], as_json, lambda view: view.one(found))


@command.command
@_named
@connection
@click.option("--comment", default="", help="Why; the requester reads it.")
@lasts_option
@_json
def approve(
    name: str, url: str | None, token_file: Path | None, ca_file: Path | None, comment: str, lasts: str, as_json: bool
) -> None:
    """Approve a request: its statement may run once, before it expires; or access lasts from now on."""
    _decide(name, (url, token_file, ca_file), "approved", comment, lasts, as_json=as_json)


@command.command
@_named
@connection
@click.option("--comment", required=True, help="Why; the requester reads it.")
@_json
def deny(
    name: str, url: str | None, token_file: Path | None, ca_file: Path | None, comment: str, as_json: bool
) -> None:
    """Deny a request."""
    _decide(name, (url, token_file, ca_file), "denied", comment, as_json=as_json)


def _decide(
    name: str, where: tuple[str | None, Path | None, Path | None], decision: str, comment: str, lasts: str = "",
    *, as_json: bool,
) -> None:  # fmt: skip
    with connect(*where) as client:
        found = client.decide(name, decision, comment, lasts)
    _print([found], as_json, lambda view: view.decided(found))


@command.command
@connection
@_json
def offers(url: str | None, token_file: Path | None, ca_file: Path | None, as_json: bool) -> None:
    """List the policies that can be asked for, for how long, and who approves."""
    with connect(url, token_file, ca_file) as client:
        found = client.offers()
    _print(found, as_json, lambda view: view.offers(found))


@command.command
@click.argument("policy", callback=_policy)
@connection
@click.option("--for", "duration", required=True, help="For how long: 30m, 1h.")
@click.option("--reason", required=True, help="What for; who approves reads it.")
@click.option(
    "--break-glass", is_flag=True, help="At once, in an emergency: with an alarm, a full record and a review."
)
@click.option("--database", default="", help="The Database, or NAMESPACE/NAME, if several have such a policy.")
@click.option("--as", "subject", default="", help="Your name in tokens, if you have several.")
@click.option("--issuer", default="", help="Whose tokens, if the gates take those of several.")
@_json
def ask(
    policy: str, url: str | None, token_file: Path | None, ca_file: Path | None, duration: str, reason: str,
    break_glass: bool, database: str, subject: str, issuer: str, as_json: bool,
) -> None:  # fmt: skip
    """Ask for access for a time: the policy is in effect for you alone, from an approval on."""
    namespace, _, name = database.rpartition("/")
    wish = {
        "policy": policy, "duration": duration, "reason": reason, "breakGlass": break_glass,
        "namespace": namespace, "database": name, "subject": subject, "issuer": issuer,
    }  # fmt: skip
    with connect(url, token_file, ca_file) as client:
        found = client.ask(wish)
    _print([found], as_json, lambda view: view.asked(found))


@command.command
@_named
@connection
@_json
def end(name: str, url: str | None, token_file: Path | None, ca_file: Path | None, as_json: bool) -> None:
    """End access before its time: your own, or what your groups approve."""
    with connect(url, token_file, ca_file) as client:
        found = client.end(name)
    _print([found], as_json, lambda view: view.asked(found))


@command.command
@_named
@connection
@click.option("--comment", required=True, help="What was found.")
@_json
def review(
    name: str, url: str | None, token_file: Path | None, ca_file: Path | None, comment: str, as_json: bool
) -> None:
    """Review what somebody else did in an emergency, once it is over."""
    with connect(url, token_file, ca_file) as client:
        found = client.review(name, comment)
    _print([found], as_json, lambda view: view.asked(found))


def _print(found: list[dict[str, Any]], as_json: bool, show_it: Callable[[Any], None]) -> None:
    with known_answer():
        printed(found, as_json, show_it)
