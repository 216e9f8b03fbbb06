"""The `penstock` command: finds its subcommands by name and imports each only when it runs.

What doesn't belong: what a subcommand does; each is a module beside this one with a click object named `command`.
"""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import version

import click

from penstock_cli import logs
from penstock_core.compilation import in_words

# Subcommand → (module of penstock_cli, one line of help). The line is repeated here so that `--help` imports nothing.
COMMANDS: dict[str, tuple[str, str]] = {
    "alarms": ("alarms", "List and acknowledge the collector's alarms."),
    "audit": ("audit", "Follow, search and verify the audit trail; make evidence of it."),
    "catalog": ("catalog", "Write a database's catalog to a file, for check."),
    "check": ("check.command", "Show how SQL would be handled, and why, without running it."),
    "collector": ("collector", "Run the collector: ingest, store, search and live pages of the audit trail."),
    "connect": ("connect.command", "Connect to a database through a gate: psql, or a DSN with a one-time ticket."),
    "control": ("control", "Run the control service: sidecar injection and the policy stream."),
    "demo": ("demo.command", "Run a gate, a collector and a small shop on this machine, and play a session."),
    "dump": ("dump.command", "Dump a database as masked for you, after a look whether it would restore."),
    "holds": ("holds", "List, set and lift legal holds: what they cover is not dropped."),
    "login": ("login.command", "Log in to the issuer whose tokens your gates take."),
    "logout": ("logout", "Forget your login, here and at the issuer."),
    "mcp": ("mcp", "Serve a database behind a gate to an AI agent (Model Context Protocol)."),
    "operator": ("operator", "Run the Kubernetes operator."),
    "proxy": ("proxy", "Run the gate in front of PostgreSQL, as a sidecar or stand-alone."),
    "requests": ("requests", "List, show, approve and deny requests for approval."),
    "validate": ("validate", "Check Database and DatabaseAccessPolicy files."),
}


class Commands(click.Group):
    """A group whose members are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"penstock_cli.{COMMANDS[cmd_name][0]}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"penstock_cli.{COMMANDS[cmd_name][0]} has no click command named `command`")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(f"{version('penstock')} ({in_words()})", prog_name="penstock")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    envvar="PENSTOCK_LOG_LEVEL",
    show_default=True,
    help="How much the long-running programs log to standard error.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "json", "text"]),
    default="auto",
    envvar="PENSTOCK_LOG_FORMAT",
    show_default=True,
    help="auto: text on a terminal, else JSON lines.",
)
def command(log_level: str, log_format: str) -> None:
    """Database governance for PostgreSQL: every statement bound to an identity, checked, masked and recorded."""
    logs.configure(log_level, json=not sys.stderr.isatty() if log_format == "auto" else log_format == "json")


def main() -> None:
    """The entry point of the distribution."""
    command(prog_name="penstock")
