"""`kubectl penstock check`: how policies fit the database as it is, and what they leave open.

What names nothing, what does not fit, what looks sensitive. Names are a hint and no proof. What doesn't belong: what
becomes of SQL (`explaining.py`), and what resources tell by themselves (`penstock_core.resources.checks`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from penstock_cli.cluster.options import Sources, cluster_api, output_option, source_options, where_options

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi
    from penstock_core.resources import Bundle
    from penstock_core.sql.catalog.model import Catalog, ColumnName

Json = dict[str, Any]
_COLUMNS = {"RESOURCE": "resource", "FINDING": "finding", "WHAT": "what"}


@click.command
@where_options
@source_options
@output_option
def check(sources: Sources, output: str, **where: Any) -> None:
    """Show how a Database's policies fit its catalog: what they name that is not there, masks that don't fit a column,
    and columns that look sensitive and that nothing is for.

    What becomes of SQL is `explain`'s, and of files of it `penstock check`'s.

    \b
    Status 0: there is nothing to say
           1: there is
           2: a file, server or cluster cannot be read, or an option is wrong
    """
    from penstock_cli.catalog_source import given  # noqa: PLC0415 # `--help` loads neither the parser nor TLS
    from penstock_cli.cluster.output import shown  # noqa: PLC0415 # as above
    from penstock_cli.cluster.rules import rules_for  # noqa: PLC0415 # as above

    def api() -> ClusterApi:
        return cluster_api(**where)

    bundle = rules_for(sources.policies, where["namespace"], sources.database, api)
    rows = list(findings(bundle, given(sources.catalog, sources.url, sources.password_file)))
    shown(rows, output, _COLUMNS, f"{bundle.database.title} and its policies fit the catalog, and nothing looks open")
    sys.exit(1 if rows else 0)


def findings(bundle: Bundle, catalog: Catalog) -> Iterator[Json]:
    """Each thing that is to be said, by resource."""
    from penstock_core.policy.combine import on_its_own  # noqa: PLC0415 # as in `check`
    from penstock_core.policy.effective import EffectivePolicy  # noqa: PLC0415 # as in `check`
    from penstock_core.resources import check as between  # noqa: PLC0415 # as in `check`
    from penstock_core.sql.masking.findings import misfits  # noqa: PLC0415 # as in `check`
    from penstock_sidecar.proxy.unused_masks import unused_masks  # noqa: PLC0415 # as in `check`

    for problem in between([bundle.database, *bundle.policies]):
        yield _finding(problem.resource, "does not fit", f"{problem.field}: {problem.message}")
    masked: list[str] = []
    for policy in bundle.policies:
        if policy.spec.mode == "revoke":
            continue
        asked = on_its_own(policy, bundle.database)
        alone = EffectivePolicy(bundle.database.name, asked, None)
        for words in unused_masks(alone, catalog):
            yield _finding(policy.title, "names nothing", words)
        for words in misfits(alone, catalog):
            yield _finding(policy.title, "does not fit", words)
        if policy.spec.mode == "enforce":
            masked += [pattern for rule in asked.masks for pattern in rule.columns]
    yield from _open(bundle, masked, catalog)


def _open(bundle: Bundle, masked: list[str], catalog: Catalog) -> Iterator[Json]:
    """What the Database's classification says of columns, and what nobody masks."""
    from penstock_sidecar.proxy.database_fit import (  # noqa: PLC0415 # as in `check`
        idle_classifications,
        looks_sensitive,
        stored_columns,
    )

    database = bundle.database
    entries = [(entry.tag, pattern) for entry in database.spec.classification for pattern in entry.columns]
    classified = _columns([pattern for _, pattern in entries], catalog)
    for words in idle_classifications(database, catalog):
        yield _finding(database.title, "names nothing", words)
    covered: set[ColumnName] = set().union(*_columns(masked, catalog))
    tags = {column: tag for (tag, _), columns in zip(entries, classified, strict=True) for column in columns}
    for name in stored_columns(catalog):
        if name in covered:
            continue
        if name in tags:
            words = f"{'.'.join(name)} is classified {tags[name]}, and no policy that is enforced masks it"
            yield _finding(database.title, "not masked", words)
        elif looks_sensitive(name[2]):
            words = f"{'.'.join(name)} looks sensitive, and no classification and no mask is for it"
            yield _finding(database.title, "looks sensitive", words)


def _columns(patterns: list[str], catalog: Catalog) -> list[set[ColumnName]]:
    """The columns that each pattern is for."""
    from penstock_core.resources.vocabulary import column_parts  # noqa: PLC0415 # as in `check`

    found: list[set[ColumnName]] = [set() for _ in patterns]
    for place, column in catalog.overview.matching([column_parts(pattern) for pattern in patterns]):
        found[place].add(column)
    return found


def _finding(resource: str, finding: str, what: str) -> Json:
    return {"resource": resource, "finding": finding, "what": what}
