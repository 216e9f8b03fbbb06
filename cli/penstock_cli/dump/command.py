"""`penstock dump`: finds the right pg_dump, looks whether the dump would restore, runs it with the identity's token.

What doesn't belong: which constraints there are and how rows are asked about them (`constraints.py`), the programs
(`programs.py`), masking: that is the gate's, whatever this does.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.dump.programs import Programs


@click.command(name="dump")
@click.option(
    "--url", required=True, metavar="URL",
    help="The gate: postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]"
)  # fmt: skip
@click.option(
    "--password-file", type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the token by which the gate knows you.  [default: PGPASSWORD]",
)  # fmt: skip
@click.option(
    "--bin", "directory", type=click.Path(path_type=Path, file_okay=False),
    help="Where pg_dump and psql are.  [default: the PATH, and where packages put them]",
)  # fmt: skip
@click.option("--check-only", is_flag=True, help="Only say what would not restore.")
@click.option("--anyway", is_flag=True, help="Dump, whatever would not restore.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF PG_DUMP…]")
def command(
    url: str,
    password_file: Path | None,
    directory: Path | None,
    check_only: bool,
    anyway: bool,
    options: tuple[str, ...],
) -> None:
    """Dump a database as you may see it: masked values are in the dump, no others.

    What stands behind `--` is pg_dump's own: `penstock dump --url … -- --format custom --file shop.dump`. Before it
    runs, each constraint is held against the masked rows; what they break, and so would not restore, is named.

    \b
    Status 0: the dump is made
           1: it would not restore, or pg_dump failed (then with its own status)
           2: no server, no program for it, or an option is wrong
    """
    from penstock_cli.dump import programs  # noqa: PLC0415 # `--help` looks for no program

    if check_only and anyway:
        raise Unusable("--check-only and --anyway: give one of them")
    environment = _environment(url, password_file)
    there = programs.installed(directory)
    if not there:
        where = f"no pg_dump and psql in {directory}" if directory else "there is no pg_dump and psql"
        raise Unusable(f"{where}: install postgresql-client, or say with --bin where they are")
    (version,) = there[-1].ask(["SELECT current_setting('server_version_num')::int / 10000"], environment)
    if not version.lines:
        raise Unusable(version.error)
    chosen = programs.able(there, int(version.lines[0]))
    broken = _broken(chosen, environment)
    if broken and not anyway:
        click.echo(
            "mask these columns by what keeps to their constraints (hash keeps what is unique unique, and keys joined),"
            " or dump --anyway, perhaps without some tables, and restore without these constraints (docs/dumps.md)",
            err=True,
        )
        sys.exit(1)
    if not check_only:
        sys.exit(chosen.dump(options, environment, _tell))


def _tell(line: str) -> None:
    """On standard error. Names in it are the database's, and may hold what a terminal would obey."""
    from penstock_cli.terminal_text import printable  # noqa: PLC0415 # as above

    click.echo(printable(line), err=True)


def _broken(chosen: Programs, environment: dict[str, str]) -> bool:
    """Whether a table can't be dumped, or a constraint is broken by the masked rows. Each is told of, and so is each
    that could not be looked at.
    """
    from penstock_cli.dump.constraints import CATALOG_QUERIES, questions  # noqa: PLC0415 # as above

    described = chosen.ask(CATALOG_QUERIES, environment)
    for answer in described:
        if answer.error:
            raise Unusable(f"the constraints can't be read: {answer.error}")
    every = list(questions(line for answer in described for line in answer.lines))
    tables = [one for one in every if not one.about]
    unread: set[str] = set()
    for question, answer in zip(tables, chosen.ask([one.sql for one in tables], environment), strict=True):
        if answer.error:
            unread.add(question.table)
            _tell(f"can't be dumped: {question.table}: {answer.error}")
    found = bool(unread)
    asked = [one for one in every if one.about and one.table not in unread]
    for question, answer in zip(asked, chosen.ask([one.sql for one in asked], environment), strict=True):
        if answer.error:
            _tell(f"not checked: {question.table}: {question.about}: {answer.error}")
        elif answer.lines == ("t",):
            found = True
            _tell(f"would not restore: {question.table}: {question.about}")
    return found


def _environment(url: str, password_file: Path | None) -> dict[str, str]:
    """What psql and pg_dump read of where to go and as whom. Raises Unusable."""
    from penstock_cli.catalog_source import address  # noqa: PLC0415 # as above
    from penstock_sidecar.wire.login import Credentials  # noqa: PLC0415 # as above

    server, dbname = address(url, password_file, os.environ)
    login = server.credentials
    if not isinstance(login, Credentials):  # pragma: no cover - a URL names one login
        raise TypeError(type(login).__name__)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    certificate = {"PGSSLROOTCERT": str(server.ca_file)} if server.ca_file is not None else {}
    return {
        **own, **certificate, "PGHOST": server.host, "PGPORT": str(server.port), "PGDATABASE": dbname,
        "PGSSLMODE": server.tls, "PGUSER": login.username, "PGPASSWORD": login.password,
        "PGAPPNAME": "penstock dump",
    }  # fmt: skip
