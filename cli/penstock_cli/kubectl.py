"""`kubectl penstock …`: what people do on a cluster by their own Kubernetes credentials, and all that `penstock` has.

kubectl finds the executable `kubectl-penstock` on the PATH. Here are the commands about requests for approval; others
are in `cluster/`. What doesn't belong: the Kubernetes API (`cluster/api.py`, `cluster_requests.py`), requests that the
collector keeps (`requests.py`).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock_cli import main as whole
from penstock_cli.cluster.options import cluster_api, where_options
from penstock_cli.request_output import DUE, lasts_option, printed, standing_option
from penstock_core.approvals.standing import Decision

if TYPE_CHECKING:
    from penstock_cli.cluster_requests import ClusterRequests

F = TypeVar("F", bound=Callable[..., Any])
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a request's name is like r-7k3f-9m2q; `kubectl penstock requests` lists them")
    return value


def _due(one: dict[str, Any]) -> bool:
    """Whether somebody has to decide it, or to look at what is done in an emergency."""
    return one["standing"] in ("waiting", "unreviewed") or (one["breakGlass"] and one["standing"] == "in effect")


def _policy(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise click.BadParameter("a policy's name; `kubectl get databaseaccesspolicies` lists them")
    return value


def _where(command: F) -> F:
    """Which cluster and namespace, and whether a program reads the answer."""
    return where_options(click.option("--json", "as_json", is_flag=True, help="JSON.")(command))


_named = click.argument("name", callback=_name)


@click.command("requests")
@_where
@click.option("--all-namespaces", "-A", is_flag=True, help="Those of all namespaces.")
@standing_option
def requests_command(all_namespaces: bool, standing: str, as_json: bool, **where: Any) -> None:
    """List requests, latest first: who asks for what, until when, and how to approve it."""
    cluster = _cluster(**where)
    who = cluster.whoami()
    found = [one.document(who) for one in cluster.all(everywhere=all_namespaces)]
    found = [one for one in found if standing in ("all", one["standing"]) or (standing == DUE and _due(one))]
    printed(found, as_json, lambda view: view.several(found, standing))


@click.command
@_named
@_where
def show(name: str, as_json: bool, **where: Any) -> None:
    """Show one request: the statement in full, what it would do, who asks, and what became of it."""
    cluster = _cluster(**where)
    one, who = cluster.one(name), cluster.whoami()
    found = one.document(who) | {"otherRules": cluster.of_other_rules(one, who)}
    printed([found], as_json, lambda view: view.one(found))


@click.command
@_named
@_where
@click.option("--comment", default="", help="Why; the requester reads it.")
@lasts_option
def approve(name: str, comment: str, lasts: str, as_json: bool, **where: Any) -> None:
    """Approve a request: its statement may run once, before it expires; or access lasts from now on."""
    _decide(name, "approved", comment, lasts, as_json=as_json, **where)


@click.command
@_named
@_where
@click.option("--comment", required=True, help="Why; the requester reads it.")
def deny(name: str, comment: str, as_json: bool, **where: Any) -> None:
    """Deny a request."""
    _decide(name, "denied", comment, as_json=as_json, **where)


def _decide(name: str, decision: Decision, comment: str, lasts: str = "", *, as_json: bool, **where: Any) -> None:
    cluster = _cluster(**where)
    found = cluster.decide(name, decision, comment, lasts).document(cluster.whoami())
    printed([found], as_json, lambda view: view.decided(found))


@click.command
@click.argument("policy", callback=_policy)
@_where
@click.option("--for", "duration", required=True, help="For how long: 30m, 1h.")
@click.option("--reason", required=True, help="What for; who approves reads it.")
@click.option(
    "--break-glass", is_flag=True, help="At once, in an emergency: with an alarm, a full record and a review."
)
@click.option("--as", "subject", help="Your name in tokens.  [default: as the API server knows you]")
@click.option("--issuer", help="Whose tokens.  [default: the policy's subjects', or as the API server knows it]")
def request(
    policy: str, duration: str, reason: str, break_glass: bool, subject: str | None, issuer: str | None,
    as_json: bool, **where: Any,
) -> None:  # fmt: skip
    """Ask for access for a time: the policy is in effect for you alone, from an approval on."""
    from penstock_cli.cluster_requests import Wish  # noqa: PLC0415 # a large library

    cluster = _cluster(**where)
    found = cluster.ask(Wish(policy, duration, reason, break_glass, subject, issuer)).document(cluster.whoami())
    printed([found], as_json, lambda view: view.asked(found))


@click.command
@_named
@_where
def end(name: str, as_json: bool, **where: Any) -> None:
    """End access before its time: your own, or what your groups approve."""
    cluster = _cluster(**where)
    found = cluster.end(name).document(cluster.whoami())
    printed([found], as_json, lambda view: view.asked(found))


@click.command
@_named
@_where
@click.option("--comment", required=True, help="What was found.")
def review(name: str, comment: str, as_json: bool, **where: Any) -> None:
    """Review what somebody else did in an emergency, once it is over."""
    cluster = _cluster(**where)
    found = cluster.review(name, comment).document(cluster.whoami())
    printed([found], as_json, lambda view: view.asked(found))


def _cluster(**where: Any) -> ClusterRequests:
    from penstock_cli.cluster_requests import ClusterRequests  # noqa: PLC0415 # a large library

    return ClusterRequests(cluster_api(**where))


_OWN: dict[str, click.Command] = {
    "requests": requests_command, "show": show, "approve": approve, "deny": deny, "request": request, "end": end,
    "review": review,
}  # fmt: skip


# Those that `cluster/` has: the module and its object, and one line of help, so that `--help` imports none of them.
_CLUSTER: dict[str, tuple[str, str]] = {
    "check": ("fitting:check", "Show how policies fit a database's live catalog, and what they leave open."),
    "explain": ("explaining:explain", "Show what becomes of a statement, and by which rules, without running it."),
    "inject": ("injection:inject", "Show the patch that pods would get, and what admission would say, offline."),
    "logs": ("gate_logs:logs", "Print the log of a pod's gate."),
    "resume": ("suspension:resume", "Let sessions begin again where suspend let none."),
    "status": ("gates:status", "Show each pod's gate: its policies, its database, what waits for the collector."),
    "suspend": ("suspension:suspend", "End all sessions of a Database or an identity, and let none begin."),
}


class Plugin(whole.Commands):
    """The commands of `penstock`, with requests as the cluster has them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_OWN, *_CLUSTER})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _CLUSTER:
            module, _, name = _CLUSTER[cmd_name][0].partition(":")
            found: click.Command = getattr(importlib.import_module(f"penstock_cli.cluster.{module}"), name)
            return found
        return _OWN.get(cmd_name) or super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {name: text for name, (_, text) in whole.COMMANDS.items()}
        rows |= {name: command.get_short_help_str(100) for name, command in _OWN.items()}
        rows |= {name: text for name, (_, text) in _CLUSTER.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))


command = Plugin(
    name="kubectl penstock",
    params=whole.command.params,
    callback=whole.command.callback,
    help=whole.command.help,
    context_settings=whole.command.context_settings,
)


def main() -> None:
    """The entry point of the plugin."""
    command(prog_name="kubectl penstock")
