"""How a bundle fits a database, all policies of it: classification and masks without a column, masks that don't fit a
type, columns that look sensitive and that nothing is for. Only the catalog can tell.

It is told, and nothing depends on it: names are a hint and no proof. What doesn't belong: what policies mean for the
statements of one identity (`deciders.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from penstock_core.gate_report import MOST_NAMED, NOTHING, Named, PolicyFindings
from penstock_core.policy.combine import on_its_own
from penstock_core.policy.effective import EffectivePolicy
from penstock_core.resources import Bundle, Database
from penstock_core.resources.vocabulary import column_parts
from penstock_core.sql.catalog.model import Catalog, ColumnName
from penstock_core.sql.masking.findings import unfit_masks
from penstock_sidecar.proxy.unused_masks import unused_masks

# Words that names of sensitive columns consist of, or end in.
_SENSITIVE = re.compile(
    r"(^|_)(e_?mail|phone|mobile|fax|ssn|social_security(_number)?|passport(_no|_number)?|iban|bic|"
    r"card_?(no|number)|credit_?card|pan|cvv|cvc|birth_?(day|date)|date_of_birth|dob|password|passwd|pass_?word_?hash|"
    r"secret|api_?key|salary|income|tax_?(id|no|number)|first_?name|last_?name|surname|maiden_name|"
    r"street|address|postcode|zip(_?code)?|diagnosis|blood_type|religion|ethnicity)(_?(address|number|no|hash))?$"
)


@dataclass(frozen=True, slots=True)
class Fit:
    """What was found."""

    unclassified: Named = NOTHING
    sensitive: Named = NOTHING
    misfits: tuple[PolicyFindings, ...] = ()


def fit(bundle: Bundle, catalog: Catalog) -> Fit:
    """Looks at every policy of the bundle, whoever it is for."""
    database = bundle.database
    sets = [(policy, on_its_own(policy, database)) for policy in bundle.policies if policy.spec.mode != "revoke"]
    judged = [
        PolicyFindings(
            policy=policy.name,
            missing=Named.of(unused_masks(EffectivePolicy(database.name, alone, None), catalog)),
            unfit=Named.of(unfit_masks(alone, catalog)),
        )
        for policy, alone in sets
    ]
    misfits = [one for one in judged if one.missing.count or one.unfit.count]
    patterns = [pattern for _, alone in sets for rule in alone.masks for pattern in rule.columns]
    unclassified = Named.of(idle_classifications(database, catalog))
    return Fit(unclassified, _sensitive(database, patterns, catalog), tuple(misfits[:MOST_NAMED]))


def looks_sensitive(column: str) -> bool:
    """Whether its name says so."""
    return _SENSITIVE.search(column.lower()) is not None


def idle_classifications(database: Database, catalog: Catalog) -> Iterator[str]:
    """In words, each pattern of the Database's classification that no column answers to."""
    entries = [(entry.tag, pattern) for entry in database.spec.classification for pattern in entry.columns]
    used = {place for place, _ in catalog.overview.matching([column_parts(pattern) for _, pattern in entries])}
    for place, (tag, pattern) in enumerate(entries):
        if place not in used:
            yield f"no column of the database is {pattern}, which is classified {tag}; check the spelling"


def stored_columns(catalog: Catalog) -> Iterator[ColumnName]:
    """Those of tables, where values are; views show the same ones again."""
    for relation in catalog.relations.values():
        if relation.kind in ("r", "p", "f"):
            for column in relation.columns:
                yield relation.schema, relation.name, column.name


def _sensitive(database: Database, masked: list[str], catalog: Catalog) -> Named:
    classified = [pattern for entry in database.spec.classification for pattern in entry.columns]
    known: set[ColumnName] = {
        name for _, name in catalog.overview.matching([*map(column_parts, (*classified, *masked))])
    }
    return Named.of(".".join(one) for one in stored_columns(catalog) if looks_sensitive(one[2]) and one not in known)
