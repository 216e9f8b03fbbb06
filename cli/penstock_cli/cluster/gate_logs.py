"""`kubectl penstock logs`: what the gate of a pod logs, without knowing what its container is called.

What doesn't belong: the audit trail (`penstock audit`).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from penstock_cli.cluster.options import cluster_api, pods_there, where_options
from penstock_cli.terminal_text import printable


@click.command
@click.argument("pod", shell_complete=pods_there)
@where_options
@click.option("--follow", "-f", is_flag=True, help="Go on as lines come.")
@click.option("--tail", type=click.IntRange(min=0), help="The last so many lines.  [default: all]")
@click.option("--previous", "-p", is_flag=True, help="Of the container before the last restart.")
def logs(pod: str, follow: bool, tail: int | None, previous: bool, **where: Any) -> None:
    """Print the log of POD's gate: which policies it took over, why the database could not be reached.

    What statements ran is in the audit trail: `penstock audit`.
    """
    from penstock_operator.inject.sidecar import CONTAINER  # noqa: PLC0415 # `--help` loads nothing

    api = cluster_api(**where)
    asked: dict[str, Any] = {"container": CONTAINER}
    asked |= {"follow": "true"} if follow else {}
    asked |= {"previous": "true"} if previous else {}
    asked |= {} if tail is None else {"tailLines": tail}
    namespace, name = quote(api.namespace, safe=""), quote(pod, safe="")
    for line in api.lines(f"/api/v1/namespaces/{namespace}/pods/{name}/log?{urlencode(asked)}"):
        click.echo(printable(line.decode(errors="replace")))
