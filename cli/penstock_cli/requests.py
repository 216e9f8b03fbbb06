"""`penstock requests`: the statements that wait for approval, and deciding them.

What doesn't belong: talking to the collector (`collector_client.py`), who may decide (the collector says).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from penstock_cli.collector_options import connect, connection
from penstock_cli.request_output import STANDINGS, printed

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a request's name is like r-7k3f-9m2q; `penstock requests` lists them")
    return value


class _ListByDefault(click.Group):
    """Without a subcommand, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        listed = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if listed else args)


@click.group(cls=_ListByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, show, approve and deny requests for approval. Without a subcommand: list."""


_json = click.option("--json", "as_json", is_flag=True, help="JSON.")
_named = click.argument("name", callback=_name)


@command.command("list")
@connection
@click.option("--standing", type=click.Choice(STANDINGS), default="waiting", show_default=True, help="Which of them.")
@_json
def list_command(url: str | None, token_file: Path | None, ca_file: Path | None, standing: str, as_json: bool) -> None:
    """List requests, latest first: who asks for what, until when, and how to approve it."""
    with connect(url, token_file, ca_file) as client:
        found = client.requests("" if standing == "all" else standing)
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
@_json
def approve(
    name: str, url: str | None, token_file: Path | None, ca_file: Path | None, comment: str, as_json: bool
) -> None:
    """Approve a request: its statement may run once, before the request expires."""
    _decide(name, (url, token_file, ca_file), "approved", comment, as_json=as_json)


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
    name: str, where: tuple[str | None, Path | None, Path | None], decision: str, comment: str, *, as_json: bool
) -> None:
    with connect(*where) as client:
        found = client.decide(name, decision, comment)
    _print([found], as_json, lambda view: view.decided(found))


def _print(found: list[dict[str, Any]], as_json: bool, show_it: Callable[[Any], None]) -> None:
    try:
        printed(found, as_json, show_it)
    except (LookupError, TypeError, AttributeError, ValueError):
        raise click.ClickException("the answer is not of a collector of this version") from None
