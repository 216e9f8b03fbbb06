"""What webhooks are told of an emergency on a cluster, of which gates tell in the trail.

It is told like one that this collector holds. Whoever took a gate over can make emergencies up, so that each sender has
a bounded part of what people are told; all others are alarms still. What doesn't belong: finding them
(`store/emergencies.py`), bringing notices (`webhooks.py`).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

import structlog

from penstock_collector.approvals import wording
from penstock_collector.approvals.notices import Notices
from penstock_collector.store.emergencies import ToldEmergency

_log = structlog.get_logger(__name__)

# Of one sender, people are told of so many within that time.
MOST_OF_A_SENDER = 10
_SECONDS = 3600.0
_MOST_SENDERS = 10_000
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class EmergencyNotice:
    """One thing to be told of an emergency."""

    event: Literal["emergency.begun"]
    # The same in all attempts to deliver it.
    id: str
    emergency: ToldEmergency
    # Where the statements are that ran by it; "" if the collector does not know its own address.
    page: str

    def line(self) -> str:
        """In one line, without its address."""
        one = self.emergency
        until = f" until {_shown(one.until)[:16].replace('T', ' ')} UTC" if one.until else ""
        return (
            f"{_shown(one.request)}: the glass was broken. {_shown(one.who)}: access by policy {_shown(one.policy)}"
            f" in an emergency{until}, database {_shown(one.database)}"
        )

    def slack(self) -> dict[str, object]:
        """For Slack and what takes the same: text with a link."""
        text = self.line().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {"text": f"{text}\n<{self.page}|Look at it>" if self.page else text}

    def document(self, now: str) -> dict[str, object]:
        """For programs."""
        one = self.emergency
        data = {
            "request": one.request[:_LONGEST],
            "page": self.page,
            "standing": "in effect",
            "database": one.database[:_LONGEST],
            "policy": one.policy[:_LONGEST],
            "breakGlass": True,
            "requester": [part[:_LONGEST] for part in one.who.split(" for ")],
            "expiresAt": one.until[:_LONGEST],
        }
        return {"type": self.event, "timestamp": now, "data": data}


class ToldEmergencies:
    """Keeps and tells what comes of emergencies in the trail."""

    def __init__(self, notices: Notices, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._notices = notices
        self._url = url
        self._clock = clock
        self._told: OrderedDict[str, deque[float]] = OrderedDict()

    def kept(self, connection: sqlite3.Connection, found: Sequence[ToldEmergency]) -> list[EmergencyNotice]:
        """What is to be told, kept in the transaction that took the events in."""
        notices = []
        for one in found:
            if not self._has_room(one.owner):
                _log.warning("an emergency is told to no webhook: there are too many of this gate", gate=one.owner)
                continue
            page = f"{self._url}/?{urlencode({'request': one.request})}" if self._url else ""
            notices.append(EmergencyNotice("emergency.begun", f"msg_{secrets.token_hex(16)}", one, page))
        return [self._notices.keep(connection, one) for one in notices]

    def tell(self, notices: Sequence[EmergencyNotice]) -> None:
        """Put them into the queues, once they are kept."""
        for one in notices:
            emergency = one.emergency
            _log.warning("the glass was broken", request=emergency.request, policy=emergency.policy, by=emergency.who)
            self._notices.tell(one)

    def _has_room(self, owner: str) -> bool:
        now = self._clock()
        times = self._told.setdefault(owner, deque(maxlen=MOST_OF_A_SENDER))
        self._told.move_to_end(owner)
        while len(self._told) > _MOST_SENDERS:
            self._told.popitem(last=False)
        if len(times) == MOST_OF_A_SENDER and now < times[0] + _SECONDS:
            return False
        times.append(now)
        return True


def _shown(text: str) -> str:
    return wording.visible(text[:_LONGEST])
