"""Access for a time at the collector: asked for by gates and people, ended, reviewed; and gates told of what lasts.

What doesn't belong: SQL (`store/access.py`), deciding (`holder.py`), HTTP (`web/`).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from penstock_collector.approvals.comment import checked
from penstock_collector.approvals.holder import Book, Holder, Record, particulars, unrecorded
from penstock_collector.approvals.notices import Event as NoticeEvent
from penstock_collector.approvals.notices import Notice, Notices
from penstock_collector.approvals.offers import NotOfferedError, Offered, Offers
from penstock_collector.auth.viewer import Viewer
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import access
from penstock_collector.store.readers import Readers
from penstock_collector.store.requests import Asked, Kept
from penstock_collector.store.writer import Writer
from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.access_news import MOST_WAIT, AskingNews, News
from penstock_core.approvals.asking import Answered
from penstock_core.approvals.four_eyes import Approver
from penstock_core.approvals.standing import NotAllowedError, moment
from penstock_core.resources.grant import Offer

_log = structlog.get_logger(__name__)

# Records what became of a person's wish, in the transaction that it is of.
RecordAsked = Callable[[sqlite3.Connection, Asked], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for at the collector."""

    policy: str
    duration: str
    reason: str
    break_glass: bool = False
    namespace: str = ""
    database: str = ""
    # By which of their names, and by whose token, they are known to gates; where there is but one, it is that.
    subject: str = ""
    issuer: str = ""


class AccessHolder:
    """Holds what is asked for for a time."""

    def __init__(
        self,
        holder: Holder,
        writer: Writer,
        readers: Readers,
        metrics: CollectorMetrics,
        notices: Notices,
        url: str = "",
    ) -> None:
        self._holder = holder
        self._writer = writer
        self._readers = readers
        self._metrics = metrics
        self._notices = notices
        self._url = url
        self.offers = Offers()

    async def ask(self, book: Book, namespace: str, asking: AskingAccess) -> Answered:
        """A gate asks for its client. Raises NotItsOwnError, StoreError."""
        book.checked(asking.requester)
        database = asking.database_ref.name
        try:
            offer = self.offers.of(asking.policy, namespace, database).offer
        except NotOfferedError as error:
            return Answered(standing="refused", comment=str(error))
        return (await self._ask(namespace, asking, offer)).answered

    async def wish(
        self, wish: Wish, viewer: Viewer, record: RecordAsked = lambda _connection, _asked: None
    ) -> Kept | str:
        """A person asks for themselves: the request, or why there is none. Raises NotPossibleError, StoreError.

        What is found or made is recorded in the same transaction.
        """
        if viewer.unknown or viewer.kind != "person":
            why = viewer.unknown or "agents and services ask through the gate, which knows for whom they act"
            raise NotAllowedError(f"{viewer.name} may not ask: {why}")
        found = self.offers.of(wish.policy, wish.namespace, wish.database)
        asking = AskingAccess.model_validate(
            {
                "databaseRef": {"name": found.database},
                "policy": wish.policy,
                "policyDigest": found.offer.policy_digest,
                "duration": wish.duration,
                "reason": wish.reason,
                "breakGlass": wish.break_glass,
                "requester": {"principal": _principal(wish, viewer, found)},
                "nonce": secrets.token_hex(16),
            }
        )
        asked = await self._ask(found.namespace, asking, found.offer, record)
        return asked.answered.comment if asked.kept is None else asked.kept

    async def _ask(
        self,
        namespace: str,
        asking: AskingAccess,
        offer: Offer,
        record: RecordAsked = lambda _connection, _asked: None,
    ) -> Asked:
        event: NoticeEvent = "emergency.begun" if asking.break_glass else "request.made"

        def step(connection: sqlite3.Connection) -> tuple[Asked, Notice | None]:
            now, parties = self._holder.clock(), self._holder.parties
            asked = access.ask(connection, namespace, asking, offer, self._url, now, parties)
            record(connection, asked)
            made = asked.kept if asked.step == "made" else None
            return asked, None if made is None else self._holder.noted(connection, event, made)

        asked, notice = await self._writer.run(step)
        self._metrics.asked.labels(asked.step).inc()
        if asked.step == "refused":
            _log.warning("access refused", policy=asking.policy, why=asked.answered.comment)
        if asked.kept is not None and asked.step == "made":
            emergency = asking.break_glass
            say = _log.warning if emergency else _log.info
            say("the glass was broken" if emergency else "access asked for", **particulars(asked.kept.request))
            self._holder.changed(asked.kept.name)
            if notice is not None:
                self._notices.tell(notice)
        return asked

    async def end(self, name: str, who: Approver, record: Record = unrecorded) -> Kept:
        """A person ends access before its time. Raises NotPossibleError, StoreError."""
        kept = await self._holder.step(
            name, who, "ended", None,
            lambda connection: access.end(connection, name, who, self._holder.clock()),
            record,
        )  # fmt: skip
        _log.info("access ended early", by=who.name, **particulars(kept.request))
        return kept

    async def review(self, name: str, who: Approver, comment: str, record: Record = unrecorded) -> Kept:
        """A person reviews an emergency. Raises NotPossibleError, StoreError."""
        words = checked(comment, "approved")
        kept = await self._holder.step(
            name, who, "reviewed", "emergency.reviewed",
            lambda connection: access.review(connection, name, who, words, self._holder.clock()),
            record,
        )  # fmt: skip
        _log.info("emergency reviewed", by=who.name, **particulars(kept.request))
        return kept

    async def news(self, book: Book, asking: AskingNews, wait: float) -> News:
        """What lasts of a gate's database: at once if it is otherwise than the gate knows, or after `wait`. Raises
        StoreError.
        """
        namespace = book.pod.namespace if book.pod is not None else asking.namespace
        self.offers.heard(book.name, namespace, asking)
        deadline = time.monotonic() + min(wait, MOST_WAIT)
        lasting = partial(access.lasting, namespace=namespace, database=asking.database_ref.name)
        while True:
            turn = self._holder.bell.turn()
            now = self._holder.clock()
            grants = await self._readers.run(partial(lasting, now=now))
            news = News.of(grants)
            left = deadline - time.monotonic()
            if news.digest != asking.known or left <= 0 or self._holder.stopping:
                return news
            ends = [moment(one.until).timestamp() - now for one in grants]
            await turn.passed(max(0.01, min([left, *ends])))

    async def keep_time(self) -> None:
        """Tell of reviews that are overdue. Raises StoreError."""
        late = await self._writer.run(
            lambda connection: [
                self._holder.noted(connection, "review.overdue", kept)
                for kept in access.newly_overdue(connection, self._holder.clock())
            ]
        )
        for notice in late:
            _log.warning("the review of an emergency is overdue", **particulars(notice.request.request))
            self._holder.changed(notice.request.name)
            self._notices.tell(notice)


def _principal(wish: Wish, viewer: Viewer, found: Offered) -> dict[str, object]:
    """As whom gates know them. Raises NotAllowedError."""
    names = sorted(viewer.asks_as)
    if not names:
        raise NotAllowedError(
            f"{viewer.name} can't ask here: nobody vouches for a name by which gates know them. On a cluster, ask with "
            "kubectl penstock request"
        )
    named = [one for one in names if one.casefold() == wish.subject.casefold()]
    if wish.subject and not named:
        raise NotAllowedError(f"{viewer.name} asks for themselves alone: as {' or '.join(names)}")
    if not wish.subject and len(names) > 1:
        raise NotOfferedError(f"gates may know you by several names; say as whom you ask: {' or '.join(names)}")
    if wish.issuer and wish.issuer not in found.issuers:
        raise NotOfferedError(f"the gates of {found.database} take no tokens of {wish.issuer}")
    if not wish.issuer and len(found.issuers) != 1:
        names = sorted(found.issuers)
        why = f"say whose: {' or '.join(names)}" if names else "they take no tokens, and so know nobody"
        raise NotOfferedError(f"gates know people by their tokens; {why}")
    return {
        "kind": "person",
        # As it is written: gates tell names apart by case.
        "subject": wish.subject if wish.subject in named else (named or names)[0],
        "issuer": wish.issuer or next(iter(found.issuers)),
        "groups": sorted(viewer.groups),
    }
