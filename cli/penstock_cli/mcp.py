"""`penstock mcp`: a database behind a gate, for AI agents that speak the Model Context Protocol.

What it does is `penstock_agents`'s; here are its options, and the lines that clients are configured by.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

_file = click.Path(path_type=Path, dir_okay=False)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=_file, help="A file of settings (YAML); options count above it.")
@click.option("--gate", metavar="HOST:PORT", help="The gate.")
@click.option("--database", metavar="NAME", help="The database, by the name that the gate has for it.")
@click.option("--ca-file", type=_file, help="The authority of the gate's certificate, in place of the system's.")
@click.option("--no-tls", is_flag=True, help="The gate is on this machine and has no TLS.")
@click.option("--token-file", type=_file, help="The agent's token for the gate.  [env: PENSTOCK_MCP_TOKEN, the token]")
@click.option("--collector", metavar="URL", help="Where requests for approval are looked at.")
@click.option("--viewer-token-file", type=_file, help="A token for the collector that may only look.")
@click.option("--read-only", is_flag=True, help="Leave out the tool that writes.")
@click.pass_context
def command(
    context: click.Context, config: Path | None, gate: str | None, database: str | None, ca_file: Path | None,
    no_tls: bool, token_file: Path | None, collector: str | None, viewer_token_file: Path | None, read_only: bool,
) -> None:  # fmt: skip
    """Serve a database behind a gate to an AI agent over standard input and output, or to many over HTTP (--config)."""
    host, colon, port = (gate or "").rpartition(":")
    options: dict[str, Any] = {
        "gate.host": host.strip("[]") if colon else gate,
        "gate.port": port if colon else None,
        "gate.database": database,
        "gate.caFile": _placed(ca_file),
        "gate.tls": "disable" if no_tls else None,
        "tokenFile": _placed(token_file),
        "collector.url": collector,
        "collector.tokenFile": _placed(viewer_token_file),
        "readOnly": True if read_only else None,
    }
    context.obj = (config, options)
    if context.invoked_subcommand is None:
        _run(config, options)


@command.command("config")
@click.option("--name", default="penstock", show_default=True, help="What the client calls the server.")
@click.pass_context
def config_command(context: click.Context, name: str) -> None:
    """Print what to put into a client's configuration (mcpServers) to have it start this server, without any token."""
    file, _ = context.obj
    parent = context.parent
    arguments = ["mcp", *(_given(parent) if parent is not None else [])]
    if file is None and "--gate" not in arguments:
        raise click.UsageError("give --config, or --gate and --database: the client starts the server with the same")
    click.echo(client_configuration(arguments, name))


def client_configuration(arguments: Sequence[str], name: str = "penstock") -> str:
    """What goes into a client's configuration to have it start `penstock` with these arguments."""
    server = {"command": str(Path(sys.argv[0]).absolute()), "args": list(arguments)}
    return json.dumps({"mcpServers": {name: server}}, indent=2, ensure_ascii=False)


def _given(context: click.Context) -> list[str]:
    """The options as they were given, paths from the root."""
    found: list[str] = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if value is True:
            found.append(parameter.opts[0])
        elif value not in (None, False):
            found += [parameter.opts[0], str(value.absolute()) if isinstance(value, Path) else str(value)]
    return found


def _run(config: Path | None, options: dict[str, Any]) -> None:
    if importlib.util.find_spec("mcp") is None or importlib.util.find_spec("psycopg") is None:
        raise click.ClickException("its libraries are missing: install Penstock with them, pipx install '.[mcp]'")
    from penstock_agents.main import run  # noqa: PLC0415 # so that the command's help loads nothing of it
    from penstock_agents.settings import read  # noqa: PLC0415
    from penstock_sidecar.settings import SettingsError  # noqa: PLC0415

    try:
        run(read(config, options))
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"penstock mcp: {line}", err=True)
        raise SystemExit(1) from None


def _placed(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())
