"""Which texts need a context where a policy requires one: those that read or change anything of the database's own.

What drivers and pools ask of the system's catalogs, settings and transactions need none, so that a session can begin,
and be looked after, while it is nobody's. What a context is, and how it comes, is the session's.
"""

from __future__ import annotations

from penstock_core.policy.effective import Rule
from penstock_core.sql.allowlists.functions import LARGE_OBJECTS
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import ResolvedRelation
from penstock_core.sql.bind.references import FunctionCall, Reference, RelationRead
from penstock_core.sql.refusal import refused

# Of the system's relations those that show stored values, or the texts of statements.
_HOLDING = words("""
    pg_cursors pg_largeobject pg_prepared_statements pg_stat_activity pg_statistic pg_statistic_ext_data pg_stats
    pg_stats_ext pg_stats_ext_exprs
""")


def check_context(rule: Rule | None, bound: Bound, *, writes: bool) -> None:
    """Raises Refused for what needs one, if `rule` requires it; `writes`: it may have an effect of any kind."""
    if rule is not None and (bound.relations or bound.writes or writes or any(map(_shows_values, bound.references))):
        raise refused(
            "the statement needs a context, which says for whom it is",
            "begin a transaction with SET LOCAL penstock.context = '<token>'",
            rule,
        )


def _shows_values(reference: Reference) -> bool:
    """Whether it is of the system's, and shows what is stored or what others run."""
    if isinstance(reference, RelationRead):
        found = reference.resolved
        return isinstance(found, ResolvedRelation) and found.schema == "pg_catalog" and found.name in _HOLDING
    return isinstance(reference, FunctionCall) and reference.names[-1] in LARGE_OBJECTS
