"""`penstock catalog`: write what a database holds to a file, for `penstock check` where no server is at hand.

What doesn't belong: reading it from the server (`catalog_source.py`), its form (`penstock_core.sql.catalog.file`).
"""

from __future__ import annotations

from pathlib import Path

import click

from penstock_cli.failures import Unusable


@click.command(name="catalog")
@click.option(
    "--url", required=True, metavar="URL",
    help="postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]",
)  # fmt: skip
@click.option(
    "--password-file", type=click.Path(path_type=Path, dir_okay=False), help="The password.  [default: PGPASSWORD]"
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default="-",
    help="The file.  [default: standard output]",
)  # fmt: skip
def command(url: str, password_file: Path | None, output: Path) -> None:
    """Write a database's catalog to a file: names, types and definitions, no rows.

    Log in as the role that the gate logs in as: the search_path is that role's. TLS is as in a Database resource,
    sslmode=verify-full unless the URL says otherwise.
    """
    from penstock_cli.catalog_source import from_server  # noqa: PLC0415 # `--help` loads no TLS
    from penstock_core.sql.catalog.file import written  # noqa: PLC0415 # as above

    catalog, documents = from_server(url, password_file)
    text = written(documents)
    if str(output) == "-":
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{output}: {error.strerror}") from None
    click.echo(f"{output}: {len(catalog.relations)} relations", err=True)
