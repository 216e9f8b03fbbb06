"""What webhooks are told of alarms: raised, over, acknowledged; one notice for all of a kind, however many there are.

A notice says kinds, counts and senders: nothing that an event or a comment says, which may hold values. What doesn't
belong: bringing it (`webhooks.py`), raising alarms (`penstock_collector.store`).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from penstock_collector.approvals import wording
from penstock_collector.approvals.notices import Notices
from penstock_collector.store import alarm_news
from penstock_collector.store.alarm_news import News
from penstock_collector.store.alarms import Alarm
from penstock_collector.store.database import StoreError
from penstock_collector.store.writer import Writer

Event = Literal["alarm.raised", "alarm.over", "alarm.acknowledged"]

# Of one kind, webhooks are told no more often.
_PAUSE_SECONDS = 60.0
# That nothing can be committed can't be kept, and is told again as long as it lasts.
_AGAIN_SECONDS = 3600.0
_STORE = "store"
_WORDS: Mapping[str, str] = {
    Alarm.EMERGENCY: "somebody broke the glass",
    Alarm.FORK: "two different events claim one place",
    Alarm.BREAK: "an event does not follow the one before it",
    Alarm.QUARANTINE: "lines came that are no events",
    Alarm.UNRECORDED: "statements ran unrecorded",
    Alarm.LOST: "events were lost for good",
    Alarm.DROPPED: "events were dropped before their days were over, for want of room",
    Alarm.CHECKPOINT: "signed checkpoints of the audit trail can't be kept",
    Alarm.DISK: "there will soon be no room left for the audit trail",
    Alarm.GAP: "events are missing",
    Alarm.LATE: "events come long after their time",
    Alarm.CLOCK: "events are of a time that has not come yet",
    Alarm.SILENT: "nothing is heard of a gate",
    _STORE: "the collector can't commit events, gates keep them",
}


@dataclass(frozen=True, slots=True)
class AlarmNotice:
    """One thing to be told of alarms of a kind."""

    event: Event
    # The same in all attempts to deliver it.
    id: str
    kind: str
    # Unix time of the first of them; how many streams, and the senders with the most of them, of how many.
    since: float
    streams: int = 0
    senders: tuple[str, ...] = ()
    all_senders: int = 0
    # Who acknowledged it.
    by: str = ""
    # The page of alarms, "" if the collector does not know its own address.
    page: str = ""

    @classmethod
    def of(cls, event: Event, kind: str, since: float, news: News | None, url: str) -> AlarmNotice:
        """A new notice; `url` is where the pages are."""
        page = f"{url}/streams" if url else ""
        id_ = f"msg_{secrets.token_hex(16)}"
        if news is None:
            return cls(event, id_, kind, since, page=page)
        return cls(event, id_, kind, since, news.streams, news.senders, news.all_senders, news.by, page)

    def line(self) -> str:
        """In one line, without its address."""
        named = ", ".join(wording.visible(sender) or "the collector" for sender in self.senders)
        more = self.all_senders - len(self.senders)
        whose = f"{named}{f' and {more} more' if more > 0 else ''}"
        streams = f" ({self.streams} {'stream' if self.streams == 1 else 'streams'} of {whose})" if whose else ""
        what = f"{self.kind}: {_WORDS[self.kind]}{streams}"
        if self.event == "alarm.over":
            return f"Alarm over. {what}"
        if self.event == "alarm.acknowledged":
            return f"Alarm acknowledged by {wording.visible(self.by)}. {what}"
        return f"Alarm. {what}"

    def slack(self) -> dict[str, object]:
        """For Slack and what takes the same: text with a link."""
        text = self.line().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": f"{text}\n<{self.page}|Look at it>" if self.page else text}

    def document(self, now: str) -> dict[str, object]:
        """For programs."""
        data = {
            "kind": self.kind,
            "says": _WORDS[self.kind],
            "page": self.page,
            "since": self.since,
            "streams": self.streams,
            "senders": list(self.senders),
            "allSenders": self.all_senders,
            "by": self.by,
        }
        return {"type": self.event, "timestamp": now, "data": data}


class AlarmNotices:
    """Looks what there is to be told, and tells it."""

    def __init__(self, notices: Notices, writer: Writer, url: str, clock: Callable[[], float] = time.time) -> None:
        self._notices = notices
        self._writer = writer
        self._url = url
        self._clock = clock
        # When it was told last, by event and kind.
        self._told: dict[tuple[str, str], float] = {}
        self._failing_since: float | None = None

    async def keep_time(self) -> None:
        """Tell what is new. Raises StoreError."""
        now = self._clock()
        try:
            await self._writer.check()
        except StoreError:
            self._tell_failure(now)
            raise
        if self._failing_since is not None:
            over = AlarmNotice.of("alarm.over", _STORE, self._failing_since, None, self._url)
            self._failing_since = None
            self._told.pop(("alarm.raised", _STORE), None)
            self._notices.tell(over)
        for notice in await self._writer.run(lambda connection: self._collect(connection, now)):
            self._notices.tell(notice)

    def _tell_failure(self, now: float) -> None:
        self._failing_since = self._failing_since or now
        if self._due("alarm.raised", _STORE, now, _AGAIN_SECONDS):
            self._told["alarm.raised", _STORE] = now
            self._notices.tell(AlarmNotice.of("alarm.raised", _STORE, self._failing_since, None, self._url))

    def _collect(self, connection: sqlite3.Connection, now: float) -> list[AlarmNotice]:
        """What is new, kept in the transaction that notes that it was told."""
        events: tuple[tuple[Event, Callable[[sqlite3.Connection, Alarm], list[News]]], ...] = (
            ("alarm.raised", alarm_news.raised),
            ("alarm.over", alarm_news.over),
            ("alarm.acknowledged", alarm_news.acknowledged),
        )
        found: list[AlarmNotice] = []
        for kind in alarm_news.kinds(connection):
            for event, look in events:
                if not self._due(event, kind, now, _PAUSE_SECONDS):
                    continue
                for news in look(connection, kind):
                    found.append(AlarmNotice.of(event, kind, news.since, news, self._url))
                    self._told[event, kind] = now
        for notice in found:
            self._notices.keep(connection, notice)
        return found

    def _due(self, event: str, kind: str, now: float, pause: float) -> bool:
        told = self._told.get((event, kind))
        # A clock that was set back silences nobody.
        return told is None or not told <= now < told + pause
