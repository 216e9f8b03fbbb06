"""What people are told of requests, elsewhere than on the pages: made, not decided for long, decided. All webhooks.

A notice says who, which verbs and which tables, and where to look: no text of the statement, no reason and no comment,
which hold values. What doesn't belong: bringing it to a webhook (`webhooks.py`), alarms (`alarm_notices.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeVar

import structlog

from penstock_collector.approvals import wording
from penstock_collector.approvals.webhook_settings import NoticeSettings
from penstock_collector.approvals.webhooks import Message, Webhook
from penstock_collector.metrics import CollectorMetrics
from penstock_collector.store import outbox
from penstock_collector.store.database import StoreError
from penstock_collector.store.outbox import KeptNotice
from penstock_collector.store.requests import Kept
from penstock_collector.store.writer import Writer

_log = structlog.get_logger(__name__)

Event = Literal[
    "request.made", "request.escalated", "request.decided", "emergency.begun", "review.overdue", "emergency.reviewed"
]
# What those in charge are told as well.
_SECOND = frozenset({"request.escalated", "emergency.begun", "review.overdue"})


class Told(Message, Protocol):
    """A notice, of whatever."""

    @property
    def event(self) -> str: ...


N = TypeVar("N", bound=Told)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to be told of a request."""

    event: Event
    # The same in all attempts to deliver it.
    id: str
    request: Kept
    # The request's page, "" if the collector does not know its own address.
    page: str

    @classmethod
    def of(cls, event: Event, kept: Kept, url: str) -> Notice:
        """A new notice; `url` is where the pages are."""
        return cls(event, f"msg_{secrets.token_hex(16)}", kept, f"{url}/requests/{kept.name}" if url else "")

    def line(self) -> str:
        """In one line, without its address."""
        spec, status = self.request.request.spec, self.request.status
        what = f"{wording.who(spec.requester)}: {wording.what(spec)}, database {spec.database_ref.name}"
        groups = wording.visible(", ".join(spec.approvers))
        if self.event == "emergency.begun":
            return f"{self.request.name}: the glass was broken. {what}. To be reviewed by {groups}"
        if self.event == "review.overdue":
            return f"{self.request.name}: the review of an emergency is overdue. {what}. To be reviewed by {groups}"
        if self.event == "emergency.reviewed":
            return f"{self.request.name} was reviewed by {wording.visible(status.reviewed_by or '')}. {what}"
        if self.event == "request.decided":
            return f"{self.request.name} was {status.decision} by {wording.visible(status.decided_by or '')}. {what}"
        still = " still" if self.event == "request.escalated" else ""
        rows = wording.rows(spec.effect)
        until = f"{spec.expires_at[:16].replace('T', ' ')} UTC"
        return (
            f"{self.request.name}{still} waits for approval. {what}{f' ({rows})' if rows else ''}"
            f"{'' if spec.held_by is None else f', held by {wording.rule(spec)}'}. Approvers: {groups}. Until {until}"
        )

    def slack(self) -> dict[str, object]:
        """For Slack and what takes the same: text with a link. Whoever decides logs in to the page."""
        text = self.line().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": f"{text}\n<{self.page}|Look at it>" if self.page else text}

    def document(self, now: str) -> dict[str, object]:
        """For programs."""
        spec, status = self.request.request.spec, self.request.status
        data = {
            "request": self.request.name,
            "page": self.page,
            "standing": self.request.standing.value,
            **wording.asked(self.request.request),
            "verbs": list(spec.effect.verbs),
            "tables": list(spec.effect.tables),
            "expiresAt": spec.expires_at,
            "decidedBy": status.decided_by or "",
            "decidedAt": status.decided_at or "",
        }
        return {"type": self.event, "timestamp": now, "data": data}


class Notices:
    """All webhooks of a collector. Telling them never waits."""

    def __init__(self, settings: NoticeSettings | None, metrics: CollectorMetrics) -> None:
        """Raises WebhookError if a file of the settings cannot be read."""
        first = settings.webhooks if settings is not None else ()
        escalation = settings.escalation if settings is not None else None
        second = escalation.webhooks if escalation is not None else ()
        self._first = [Webhook(one, metrics, place=f"webhooks/{place}/{one.name}") for place, one in enumerate(first)]
        self._second = [
            Webhook(one, metrics, place=f"escalation/{place}/{one.name}") for place, one in enumerate(second)
        ]
        self._writer: Writer | None = None
        # Seconds that a request waits before the second list is told; None if there is none.
        self._forgetting: set[asyncio.Task[None]] = set()
        self.escalate_after = escalation.seconds if escalation is not None else None

    def keep(self, connection: sqlite3.Connection, notice: N) -> N:
        """Keep it, in the transaction of what it tells of: then `tell` it, and a restart in between loses nothing."""
        text, data = notice.slack(), notice.document("")
        outbox.keep(connection, [KeptNotice(one.place, notice.id, text, data) for one in self._wanting(notice)])
        return notice

    def tell(self, notice: Told) -> None:
        """Put it into the queues."""
        for webhook in self._wanting(notice):
            self._put(webhook, notice)

    def _wanting(self, notice: Told) -> list[Webhook]:
        """Escalations are for the second list, emergencies for both, all else for the first."""
        lists = [] if notice.event == "request.escalated" else [*self._first]
        lists += self._second if notice.event in _SECOND else []
        return [webhook for webhook in lists if notice.event in webhook.settings.wanted]

    def _put(self, webhook: Webhook, message: Message) -> None:
        if not webhook.put(message):
            task = asyncio.create_task(self._forget(webhook, message))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _forget(self, webhook: Webhook, message: Message) -> None:
        if self._writer is None:
            return
        try:
            await self._writer.run(lambda connection: outbox.forget(connection, webhook.place, message.id))
        except StoreError as error:
            # It is brought once more after a restart, with the same id.
            _log.warning("a notice could not be crossed off", notice=message.id, why=str(error))

    @contextlib.asynccontextmanager
    async def running(self, writer: Writer) -> AsyncIterator[None]:
        """Deliver, until left; first what was on its way when the program ended the last time. Raises StoreError."""
        self._writer = writer
        webhooks = {webhook.place: webhook for webhook in (*self._first, *self._second)}
        for webhook in webhooks.values():
            webhook.on_done = partial(self._forget, webhook)
        for kept in await writer.run(lambda connection: outbox.left(connection, webhooks)):
            self._put(webhooks[kept.webhook], kept)
        tasks = [asyncio.create_task(webhook.run()) for webhook in webhooks.values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._forgetting, return_exceptions=True)
