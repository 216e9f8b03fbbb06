"""`penstock connect`: psql at a gate by one's own token, or what another program needs, with a ticket for one session.

What doesn't belong: logging in (`login`), the gate's answers (`session.py`), how it is written (`dsn.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock_cli.connect.dsn import FORMATS, Format
from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.client_settings import ClientSettings, GateSettings


@click.command(name="connect")
@click.argument("database")
@click.option("--gate", "place", metavar="HOST:PORT", help="The gate.  [default: the one that config.yaml has for it]")
@click.option(
    "--ca-file", type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="The authority of the gate's certificate, in place of the system's.",
)  # fmt: skip
@click.option("--no-tls", is_flag=True, help="Without TLS, to a gate on this machine.")
@click.option("--dsn", is_flag=True, help="Print where another program connects, with a ticket for one session.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="uri", show_default=True, help="Of the DSN.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF PSQL…]")
def command(
    database: str, place: str | None, ca_file: Path | None, no_tls: bool, dsn: bool, form: Format,
    options: tuple[str, ...],
) -> None:  # fmt: skip
    """Connect to DATABASE through a gate, as the one you logged in as with `penstock login`.

    Without --dsn, psql is started; what stands behind `--` is its own. With it, one line is printed for DBeaver,
    pgAdmin or another program: user name and password in it are a ticket, good for one session in the next minutes.

    \b
    Status: psql's own
         2: you are not logged in, no gate, no psql, or an option is wrong
    """
    from penstock_cli import client_settings  # noqa: PLC0415 # `--help` reads no file
    from penstock_cli.connect import dsn as forms  # noqa: PLC0415 # likewise
    from penstock_cli.connect import session  # noqa: PLC0415 # likewise
    from penstock_cli.login import kept  # noqa: PLC0415 # likewise

    if dsn and options:
        raise Unusable("--dsn starts no psql: leave out what stands behind --")
    gate = _gate(client_settings.read(), database, place, no_tls)
    trusted = ca_file or client_settings.file_within(gate.ca_file) or forms.system_authorities()
    if trusted is not None and not trusted.is_file():
        raise Unusable(f"{trusted}: no such file")
    psql = shutil.which("psql")
    if not dsn and psql is None:
        raise Unusable("psql is not installed: install postgresql-client, or use another program with --dsn")
    login = kept.good()
    if dsn or psql is None:
        made = session.ticket(gate, trusted, database, login.name, login.token)
        told = forms.parameters(gate, trusted, database, made.user, made.password)
        click.echo(forms.written(told, form))
        click.echo(f"good for one session, until {made.expires}; keep it to yourself", err=True)
        return
    told = forms.parameters(gate, trusted, database, login.name, login.token)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    variables = {**own, **forms.environment(told), "PGAPPNAME": "penstock connect"}
    sys.exit(_run([psql, *options], variables))


def _run(command: list[str], variables: dict[str, str]) -> int:
    """As in its place: what interrupts it is its own business."""
    with subprocess.Popen(command, env=variables) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue


def _gate(settings: ClientSettings, database: str, place: str | None, no_tls: bool) -> GateSettings:
    """The gate to go to. Raises Unusable."""
    from penstock_cli import client_settings  # noqa: PLC0415 # as above

    if place is None:
        found = settings.gate_of(database)
    else:
        host, colon, port = place.rpartition(":")
        if not colon or not port.isdecimal():
            raise Unusable("--gate: must be a host and a port, such as gate.example:6432")
        values = {"host": host.strip("[]"), "port": int(port)}
        known = [one for one in settings.gates if (one.host, one.port) == (values["host"], values["port"])]
        found = known[0] if known else client_settings.checked(client_settings.GateSettings, values, "--gate")
    if no_tls:
        values = {**found.model_dump(exclude={"ca_file"}), "tls": "disable"}
        found = client_settings.checked(client_settings.GateSettings, values, "--no-tls")
    return found
