"""The options that several commands on a cluster have: which cluster and namespace, and in what form they answer.

What doesn't belong: what is done with them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi

F = TypeVar("F", bound=Callable[..., Any])


def where_options(command: F) -> F:
    """Which cluster and namespace, as kubectl has them."""
    options = [
        click.option("--namespace", "-n", help="The namespace.  [default: the context's]"),
        click.option("--context", help="A context of the kubeconfig.  [default: the current one]"),
        click.option(
            "--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="A kubeconfig.  [default: kubectl's]"
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


policies_option = click.option(
    "--policies", multiple=True, type=click.Path(path_type=Path),
    help="Resources from files, or directories of them, in place of the cluster's; may be given again.",
)  # fmt: skip
output_option = click.option(
    "--output", "-o", type=click.Choice(("table", "json", "yaml")), default="table", show_default=True,
    help="For people, or for programs.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sources:
    """Where what decides about a Database is to be had: its policies, and its catalog."""

    policies: tuple[Path, ...]
    database: str
    catalog: Path | None
    url: str | None
    password_file: Path | None


def source_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say so; the command takes them as `sources`."""

    @functools.wraps(command)
    def told(
        policies: tuple[Path, ...], database: str, catalog: Path | None, url: str | None, password_file: Path | None,
        **more: Any,
    ) -> None:  # fmt: skip
        command(sources=Sources(policies, database, catalog, url, password_file), **more)

    options = [
        policies_option,
        click.option(
            "--database", metavar="NAME", default="", shell_complete=databases_there,
            help="Which Database, if there are several.",
        ),
        click.option("--catalog", type=click.Path(path_type=Path), help="A file that `penstock catalog` wrote."),
        click.option(
            "--url", metavar="URL",
            help="Or the server itself: postgresql://USER@HOST[:PORT]/DATABASE[?sslmode=…&sslrootcert=…]",
        ),
        click.option("--password-file", type=click.Path(path_type=Path), help="For --url.  [default: PGPASSWORD]"),
    ]  # fmt: skip
    for option in reversed(options):
        told = option(told)
    return told


def databases_there(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """For completion: the namespace's Databases."""
    return [one for one in _named(context, "/apis/penstock.dev/v1alpha1", "databases") if one.startswith(incomplete)]


def pods_there(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """For completion: the namespace's pods with a gate."""
    found = _named(context, "/api/v1", "pods", "?labelSelector=penstock.dev%2Finjected%3Dtrue")
    return [one for one in found if one.startswith(incomplete)]


def _named(context: click.Context, group: str, plural: str, query: str = "") -> list[str]:
    """Their names; none where the cluster can't be asked: nothing is told while somebody types."""
    try:
        api = cluster_api(**{name: context.params.get(name) for name in ("namespace", "context", "kubeconfig")})
        objects, _ = api.all(f"{group}/namespaces/{quote(api.namespace, safe='')}/{plural}{query}")
    except Unusable:
        return []
    return [str(one["metadata"]["name"]) for one in objects]


def cluster_api(**where: Any) -> ClusterApi:
    """The API server that the options of `where_options` mean. Raises Unusable."""
    from penstock_cli.cluster.api import ClusterApi, Where  # noqa: PLC0415 # a large library

    return ClusterApi(Where(**where))
