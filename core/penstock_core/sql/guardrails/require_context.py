"""Which texts need a context where a policy requires one: those that read or change anything of the database's own.

What drivers and pools ask of the system's catalogs, settings and transactions need none, so that a session can begin,
and be looked after, while it is nobody's. What a context is, and how it comes, is the session's.
"""

from __future__ import annotations

from penstock_core.policy.effective import Rule
from penstock_core.sql.bind.references import Bound
from penstock_core.sql.refusal import refused


def check_context(rule: Rule | None, bound: Bound, *, writes: bool) -> None:
    """Raises Refused for what needs one, if `rule` requires it; `writes`: it may have an effect of any kind."""
    if rule is not None and (bound.relations or bound.writes or writes):
        raise refused(
            "the statement needs a context, which says for whom it is",
            "begin a transaction with SET LOCAL penstock.context = '<token>'",
            rule,
        )
