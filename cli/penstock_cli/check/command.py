"""`penstock check`: reads SQL, resources and a catalog, has them judged and says what came of it.

What doesn't belong: judging (`judging.py`), printing (`view.py`), where the catalog comes from (`catalog_source.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock_cli.failures import Unusable
from penstock_cli.policy_files import RESOURCE_FILES, bundle_of, resources, text_of
from penstock_core.conditions import Circumstances

if TYPE_CHECKING:
    from penstock_cli.check.statements import SourceStatement
    from penstock_core.identity import Identity
    from penstock_core.sql.catalog.model import Catalog


@click.command(name="check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--as", "names", multiple=True, required=True, metavar="IDENTITY", help="Who would run it: see above.")
@click.option(
    "--policies", multiple=True, required=True, envvar="PENSTOCK_POLICIES", type=click.Path(path_type=Path),
    help="A file of resources, or a directory of such (*.yaml, *.yml); may be given again.  [env: PENSTOCK_POLICIES]",
)  # fmt: skip
@click.option("--catalog", type=click.Path(path_type=Path), help="A file that `penstock catalog` wrote.")
@click.option(
    "--url", metavar="URL",
    help="Or the server itself: postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]",
)  # fmt: skip
@click.option("--password-file", type=click.Path(path_type=Path), help="For --url.  [default: PGPASSWORD]")
@click.option("--database", metavar="[NAMESPACE/]NAME", default="", help="Which Database, if there are several.")
@click.option("--namespace", default="default", show_default=True, help="For documents that do not name one.")
@click.option("--search-path", metavar="SCHEMA[,…]", help="That sessions begin with.  [default: the catalog's]")
@click.option("--for", "person", metavar="PERSON", help="In a transaction whose context names them: person:ada,dpo.")
@click.option("--at", metavar="TIME", help="When, for conditions: 2026-01-31T18:00:00Z.  [default: now]")
@click.option("--client-address", metavar="ADDRESS", default="", help="Where from, for conditions.")
@click.option(
    "--with-access", "access", multiple=True, metavar="POLICY", help="As if they had been given it; see onRequest."
)
@click.option("--refused-only", is_flag=True, help="Show what would be refused, and only count the rest.")
@click.option("--json", "as_json", is_flag=True, help="A JSON line for each statement.")
def command(
    files: tuple[Path, ...],
    names: tuple[str, ...],
    policies: tuple[Path, ...],
    catalog: Path | None,
    url: str | None,
    password_file: Path | None,
    database: str,
    namespace: str,
    search_path: str | None,
    person: str | None,
    at: str | None,
    client_address: str,
    access: tuple[str, ...],
    refused_only: bool,
    as_json: bool,
) -> None:
    """Show how the SQL in FILES (`-`: standard input) would be handled, and why, without running it.

    IDENTITY is sa:NAMESPACE/NAME for a pod's service account, or person:SUBJECT[,GROUP…][@ISSUER], agent:…,
    service:… for a token's subject; give one of each if a pod uses a token, an agent and a person if it acts for them.

    \b
    Status 0: all would run, rewritten or not
           1: some would be refused
           2: a file or server cannot be read, or an option is wrong
    """
    # Here, so that `--help` loads neither the parser nor TLS.
    from penstock_cli.catalog_source import given  # noqa: PLC0415
    from penstock_cli.check.access import with_access  # noqa: PLC0415
    from penstock_cli.check.judging import Judge  # noqa: PLC0415
    from penstock_cli.check.view import JsonLines, View  # noqa: PLC0415

    who = _who(names, person)
    sessions = _sessions(files)
    bundle = with_access(bundle_of(resources(policies, namespace), database), who, access, _time(at))
    snapshot = given(catalog, url, password_file)
    path = _search_path(search_path, snapshot)
    judge = Judge(bundle, who, snapshot, Circumstances(_time(at), client_address))
    for warning in judge.warnings():
        click.echo(f"warning: {warning}", err=True)
    view = JsonLines(only_refused=refused_only) if as_json else View(only_refused=refused_only)
    refused = False
    for verdict in chain.from_iterable(judge.session(session, path) for session in sessions):
        view.show(verdict)
        refused |= verdict.refused
    view.total(who.name)
    sys.exit(1 if refused else 0)


def _who(names: tuple[str, ...], person: str | None) -> Identity:
    from penstock_cli.check.identities import IdentityError, identity, within_context  # noqa: PLC0415

    option = "--as"
    try:
        own = identity(names)
        if person is None:
            return own
        option = "--for"
        return within_context(own, person)
    except IdentityError as error:
        raise Unusable(f"{option}: {error}") from None


def _sessions(files: Sequence[Path]) -> list[list[SourceStatement]]:
    sessions = [list(_statements(file)) for file in files]
    if not any(sessions):
        raise Unusable(f"{', '.join(map(str, files))}: no SQL statement there")
    return sessions


def _statements(file: Path) -> Iterable[SourceStatement]:
    from penstock_cli.check.statements import statements  # noqa: PLC0415 # as in the command

    if file.suffix in RESOURCE_FILES:
        raise Unusable(f"{file}: is a file of resources, not of SQL; put --policies before its name")
    return statements(text_of(file), str(file))


def _time(written: str | None) -> datetime:
    try:
        found = datetime.now(UTC) if written is None else datetime.fromisoformat(written)
    except ValueError:
        found = datetime.min  # it has no zone either
    if found.tzinfo is None:
        raise Unusable(f"--at: {written!r} is not a time with its zone; write one such as 2026-01-31T18:00:00Z")
    return found


def _search_path(written: str | None, catalog: Catalog) -> tuple[str, ...]:
    from penstock_sidecar.session.search_path import SearchPath  # noqa: PLC0415 # as in the command

    if written is None:
        return catalog.search_path
    path = SearchPath().read(written)
    if path is None:
        raise Unusable(f"--search-path: {written!r} is not a list of plain names with commas between them")
    return path
