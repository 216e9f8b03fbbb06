"""What can be asked for, as gates tell it: each says so again and again, and what was not said for a time is forgotten.

What doesn't belong: asking for it (`access.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from penstock_core.approvals.access_news import LAPSES_AFTER, AskingNews
from penstock_core.approvals.standing import NotPossibleError
from penstock_core.resources.grant import Offer

# Gates that are remembered; more than there are.
_MOST = 10_000


class NotOfferedError(NotPossibleError):
    """Nobody offers that; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A policy that can be asked for, and where."""

    namespace: str
    database: str
    offer: Offer
    # Whose tokens the gates take that offer it.
    issuers: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Said:
    namespace: str
    news: AskingNews
    until: float


class Offers:
    """What the gates said last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By gate (or service account), namespace and database.
        self._said: dict[tuple[str, str, str], _Said] = {}

    def heard(self, book: str, namespace: str, asking: AskingNews) -> None:
        """A gate says what can be asked for of its database."""
        now = self._clock()
        key = (book, namespace, asking.database_ref.name)
        self._said.pop(key, None)
        self._said[key] = _Said(namespace, asking, now + LAPSES_AFTER)
        while len(self._said) > _MOST:
            del self._said[next(iter(self._said))]

    def all(self) -> list[Offered]:
        """Each policy once for each version of it that a gate has."""
        now = self._clock()
        self._said = {key: said for key, said in self._said.items() if said.until > now}
        found: dict[tuple[str, str, str], Offered] = {}
        for said in self._said.values():
            database = said.news.database_ref.name
            for offer in said.news.offers:
                key = (said.namespace, database, offer.policy_digest)
                issuers = frozenset(said.news.issuers) | (found[key].issuers if key in found else frozenset())
                found[key] = Offered(said.namespace, database, offer, issuers)
        return sorted(found.values(), key=lambda one: (one.namespace, one.database, one.offer.policy))

    def of(self, policy: str, namespace: str = "", database: str = "") -> Offered:
        """The one policy of that name, of that database if one is given. Raises NotOfferedError."""
        found = [
            one
            for one in self.all()
            if one.offer.policy == policy and namespace in ("", one.namespace) and database in ("", one.database)
        ]
        if not found:
            where = f" of database {database}" if database else ""
            raise NotOfferedError(f"no gate offers a policy {policy}{where} that can be asked for")
        if len({(one.namespace, one.database) for one in found}) > 1:
            names = ", ".join(sorted({f"{one.namespace}/{one.database}" for one in found}))
            raise NotOfferedError(f"several databases have a policy {policy} ({names}); say which")
        if len(found) > 1:
            raise NotOfferedError(
                f"policy {policy} is being changed: gates have several versions of it; ask in a moment"
            )
        return found[0]
