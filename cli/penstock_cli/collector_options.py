"""The options of every command that asks a collector: where it is, and who asks.

What doesn't belong: talking to it (`collector_client.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.collector_client import CollectorClient

F = TypeVar("F", bound=Callable[..., Any])


def connection(command: F) -> F:
    """The options that say where the collector is."""
    options = [
        click.option("--url", envvar="PENSTOCK_COLLECTOR_URL", help="The collector.  [env: PENSTOCK_COLLECTOR_URL]"),
        click.option(
            "--token-file",
            envvar="PENSTOCK_COLLECTOR_TOKEN_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="A file with a viewer token.  [env: PENSTOCK_COLLECTOR_TOKEN_FILE]",
        ),
        click.option(
            "--ca-file",
            envvar="PENSTOCK_COLLECTOR_CA_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The CAs to trust instead of the system's.  [env: PENSTOCK_COLLECTOR_CA_FILE]",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def connect(url: str | None, token_file: Path | None, ca_file: Path | None) -> CollectorClient:
    """A client, to be used as a context manager. Raises UsageError without a URL."""
    from penstock_cli.collector_client import CollectorClient  # noqa: PLC0415 # an HTTP client is slow to import

    if not url:
        raise click.UsageError("give the collector's URL: --url or PENSTOCK_COLLECTOR_URL")
    return CollectorClient(url, token_file, ca_file)


def exported(url: str | None, token_file: Path | None, ca_file: Path | None, stream: str = "") -> Iterator[bytes]:
    """The lines of the collector's export, to be checked. Raises UsageError without a URL, and Unusable."""
    try:
        with connect(url, token_file, ca_file) as client:
            yield from client.export(stream)
    except click.UsageError:
        raise
    except click.ClickException as error:
        # Status 1 is for what is wrong with the trail.
        raise Unusable(error.message) from None
