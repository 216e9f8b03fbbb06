"""`kubectl penstock check`: how policies fit the database as it is, and what they leave open.

What names nothing, what does not fit, what looks sensitive. Names are a hint and no proof. What doesn't belong: what
becomes of SQL (`explaining.py`), and what resources tell by themselves (`penstock_core.resources.checks`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from penstock_cli.cluster.options import Sources, cluster_api, output_option, source_options, where_options

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi
    from penstock_core.policy.effective import EffectivePolicy
    from penstock_core.resources import Bundle, DatabaseAccessPolicy
    from penstock_core.sql.catalog.model import Catalog, ColumnName

Json = dict[str, Any]
_COLUMNS = {"RESOURCE": "resource", "FINDING": "finding", "WHAT": "what"}
# Words that names of sensitive columns are, or end in.
_SENSITIVE = re.compile(
    r"(^|_)(e_?mail(_address)?|phone(_number)?|mobile|fax|ssn|social_security(_number)?|passport(_number)?|iban|bic|"
    r"card_?(no|number)|credit_?card|pan|cvv|cvc|birth_?(day|date)|date_of_birth|dob|password(_hash)?|passwd|secret|"
    r"api_?key|salary|income|tax_?(id|number)|first_?name|last_?name|surname|maiden_name|street|address|postcode|"
    r"zip(_?code)?|diagnosis|religion)$"
)
_TABLES = ("r", "p", "f")


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
    from penstock_core.resources import check as between  # noqa: PLC0415 # as in `check`
    from penstock_core.sql.masking.findings import misfits  # noqa: PLC0415 # as in `check`
    from penstock_sidecar.proxy.unused_masks import unused_masks  # noqa: PLC0415 # as in `check`

    for problem in between([bundle.database, *bundle.policies]):
        yield _finding(problem.resource, "does not fit", f"{problem.field}: {problem.message}")
    masked: list[str] = []
    for policy in bundle.policies:
        if policy.spec.mode == "revoke":
            continue
        alone = _alone(bundle, policy)
        for words in unused_masks(alone, catalog):
            yield _finding(policy.title, "names nothing", words)
        for words in misfits(alone, catalog):
            yield _finding(policy.title, "does not fit", words)
        if policy.spec.mode == "enforce" and alone.enforced is not None:
            masked += [pattern for rule in alone.enforced.masks for pattern in rule.columns]
    yield from _open(bundle, masked, catalog)


def _open(bundle: Bundle, masked: list[str], catalog: Catalog) -> Iterator[Json]:
    """What the Database's classification says of columns, and what nobody masks."""
    database = bundle.database
    entries = [(entry.tag, pattern) for entry in database.spec.classification for pattern in entry.columns]
    classified = _columns([pattern for _, pattern in entries], catalog)
    for place, (tag, pattern) in enumerate(entries):
        if not classified[place]:
            words = f"no column of the database is {pattern}, which is classified {tag}; check the spelling"
            yield _finding(database.title, "names nothing", words)
    covered: set[ColumnName] = set().union(*_columns(masked, catalog))
    tags = {column: tag for (tag, _), columns in zip(entries, classified, strict=True) for column in columns}
    for relation in catalog.relations.values():
        for column in relation.columns if relation.kind in _TABLES else ():
            name = (relation.schema, relation.name, column.name)
            if name in covered:
                continue
            if name in tags:
                words = f"{'.'.join(name)} is classified {tags[name]}, and no policy that is enforced masks it"
                yield _finding(database.title, "not masked", words)
            elif _SENSITIVE.search(column.name.lower()):
                words = f"{'.'.join(name)} looks sensitive, and no classification and no mask is for it"
                yield _finding(database.title, "looks sensitive", words)


def _columns(patterns: list[str], catalog: Catalog) -> list[set[ColumnName]]:
    """The columns that each pattern is for."""
    from penstock_core.resources.vocabulary import column_parts  # noqa: PLC0415 # as in `check`

    found: list[set[ColumnName]] = [set() for _ in patterns]
    for place, column in catalog.overview.matching([column_parts(pattern) for pattern in patterns]):
        found[place].add(column)
    return found


def _alone(bundle: Bundle, policy: DatabaseAccessPolicy) -> EffectivePolicy:
    """What the one policy makes for somebody whom it is for, whatever may be asked for or lifted."""
    from penstock_core.identity import Identity, Principal  # noqa: PLC0415 # as in `check`
    from penstock_core.policy.combine import effective  # noqa: PLC0415 # as in `check`
    from penstock_core.resources.access_policy import IdentitySubject, Subject  # noqa: PLC0415 # as in `check`

    masks = tuple(mask.model_copy(update={"unless": None}) for mask in policy.spec.masks)
    somebody = Subject(identity=IdentitySubject(subject="check"))
    spec = policy.spec.model_copy(
        update={"masks": masks, "subjects": (somebody,), "on_request": None, "break_glass": None}
    )
    database = bundle.database.model_copy(update={"spec": bundle.database.spec.model_copy(update={"suspended": None})})
    alone = bundle.model_copy(
        update={"database": database, "policies": (policy.model_copy(update={"spec": spec}),), "grants": ()}
    )
    return effective(alone, Identity(principal=Principal("service", "check", "https://check.invalid")))


def _finding(resource: str, finding: str, what: str) -> Json:
    return {"resource": resource, "finding": finding, "what": what}
