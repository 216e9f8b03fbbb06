"""`penstock collector`: run the collector.

What doesn't belong: the collector (`penstock_collector.main`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError


@click.command
@click.option("--listen", metavar="HOST:PORT", help="Where to listen.  [default: 0.0.0.0:8080]")
@click.option(
    "--database", type=click.Path(path_type=Path), help="The audit trail.  [default: /var/lib/penstock/audit.db]"
)
@click.option("--stream-tokens-file", type=click.Path(path_type=Path), help="Who may write: lines `<sha256> <owner>`.")
@click.option(
    "--viewer-tokens-file",
    type=click.Path(path_type=Path),
    help="Who may read: lines `<sha256> <name>`; with `groups=dba` behind it, and decide.",
)
@click.option("--public-url", help="Where people reach the pages, for links: https://audit.example.")
@click.option("--notices-file", type=click.Path(path_type=Path), help="Webhooks that are told of requests (YAML).")
@click.option(
    "--kubernetes", is_flag=True, default=None, help="Let pods write their own streams, authenticated by their tokens."
)
@click.option("--audience", help="The audience of those tokens.  [default: penstock-collector]")
@click.option("--tls-cert-file", type=click.Path(path_type=Path), help="Serve TLS with this certificate…")
@click.option("--tls-key-file", type=click.Path(path_type=Path), help="…and this key.")
@click.option("--login-link", is_flag=True, default=None, help="Log a link at start that logs in once.")
@click.option("--retention-days", type=int, help="Drop events that are older; 0: never.  [default: 365]")
@click.option("--retention-size", help="Drop the oldest beyond it (500M, 8Gi); 0: never.  [default: 80 % of the disk]")
@click.option("--heartbeat-seconds", type=float, help="How often idle streams beat.  [default: 30]")
def command(**options: Any) -> None:
    """Run the collector: receive audit events, store them, show and search them.

    Each option may be given as an environment variable too: PENSTOCK_COLLECTOR_LISTEN and so on. How people sign in is
    given by such alone: PENSTOCK_COLLECTOR_SIGN_IN_ISSUER and others (docs/collector.md).
    """
    from penstock_collector.main import StartError, run  # noqa: PLC0415 # only this command needs it
    from penstock_collector.settings import CollectorSettings  # noqa: PLC0415 # as above

    try:
        settings = CollectorSettings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise click.ClickException(f"{where}: {first['msg']}") from None
    try:
        run(settings)
    except StartError as error:
        raise click.ClickException(str(error)) from None
