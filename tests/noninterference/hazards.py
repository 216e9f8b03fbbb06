"""Which statements read something of which masked values may decide the order of rows: all others promise none.

Where no index, partition key, view or clustering could let masked values decide it, and a client asks for no order, the
planner chooses one by its estimates, which see how much room masked values take (SECURITY.md). What is asked for, and
what reads a relation with a hazard, is compared in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.core.sql.twins.world import read_catalog

from penstock_cli.demo.tokens import ISSUER
from penstock_core.identity import Identity, Principal
from penstock_core.policy.combine import effective
from penstock_core.resources import Bundle, parse
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action
from penstock_core.sql.governor import Governor
from penstock_core.sql.masking.masked_columns import govern

_KEY = bytes(range(32))


@dataclass(slots=True)
class Hazards:
    """Of a world as it is at first, by its policies."""

    url: str
    resources: Sequence[Mapping[str, object]]
    _catalog: Catalog | None = None
    _known: dict[str, tuple[Governor, frozenset[str]] | None] = field(default_factory=dict)

    def may_reorder(self, identity: str, text: str, *, longer: bool) -> bool:
        """Whether the rows that a statement of that identity gives may come in any order.

        `longer`: twins whose masked values are as long give them in the same order. Then it is enough that something
        without a hazard is read: which of several queries of a statement gives the rows is not looked into.
        """
        if identity not in self._known:
            self._known[identity] = self._of(identity)
        if (known := self._known[identity]) is None:
            return False
        governor, hazards = known
        decision = governor.decide(text, ("public",))
        read = set(decision.relations)
        safe = bool(read - hazards) if longer else read.isdisjoint(hazards)
        return decision.action is not Action.DENY and safe

    def _of(self, identity: str) -> tuple[Governor, frozenset[str]] | None:
        if self._catalog is None:
            self._catalog = read_catalog(self.url)
        bundle = Bundle.of(
            [parse(one) for one in self.resources], namespace="conformance", database="tested", generation=1,
            mask_key=_KEY,
        )  # fmt: skip
        policy = effective(bundle, Identity(principal=Principal("person", identity, ISSUER, (identity,))))
        if policy.enforced is None:
            return None
        hazards = govern(policy.enforced, self._catalog).hazards.reasons
        return Governor(policy, self._catalog, _KEY), frozenset(".".join(one) for one in hazards)
