"""Refused logins on their way into the trail: those that are alike within a second are one event with a count (within
longer, of those that go on and on), and all together take a bounded part of the trail, however many there are.

Whoever can connect decides how many there are: they must not fill the spool, whose room the statements need. None is
forgotten in silence: what gets no event of its own is counted, and summed up. What a refused login is is
`penstock_sidecar.session.login`'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from penstock_core.audit.chain import canonical
from penstock_core.audit.event import Event
from penstock_sidecar.shipping.sealing import timestamp

# Those that are alike within it are one event; if more come, those within this many times as long, up to a minute: a
# client with an old token may try each second, for days.
SECONDS = 1.0
_TIMES = 8
_LONGEST_SPAN = 60.0
# So many kinds are known to go on.
_MOST_GOING_ON = 1000
# At most so often, those that had no event of their own are summed up.
SUM_SECONDS = 10.0
# Different ones that are told apart at once.
_MOST_KINDS = 200
# What all events of refused logins may take: at once, and for each second that passes.
_MOST_BYTES = 256 * 1024
_BYTES_PER_SECOND = 1024
# Reasons and addresses that a sum counts apart, and how many of them it names.
_MOST_COUNTED = 200
_NAMED = 5


@dataclass(slots=True)
class _Alike:
    """One kind of refused login, and how often it came within a span of time."""

    body: Event
    first: datetime
    last: datetime
    # How long they are gathered, and until when by the loop's clock.
    span: float = 0.0
    due: float = 0.0
    count: int = 1

    def event(self) -> Event:
        if self.count == 1:
            return self.body
        body = {name: value for name, value in self.body.items() if name != "session"}
        body["client"] = {**body["client"], "addr": _host(body["client"]["addr"])}
        return body | {"count": self.count, "fromTime": timestamp(self.first), "toTime": timestamp(self.last)}


@dataclass(slots=True)
class _Rest:
    """Those that had no event of their own."""

    database: str
    first: datetime
    last: datetime
    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    addresses: Counter[str] = field(default_factory=Counter)

    def take(self, one: _Alike) -> None:
        self.count += one.count
        self.first, self.last = min(self.first, one.first), max(self.last, one.last)
        _tally(self.reasons, one.body["reason"], one.count)
        _tally(self.addresses, _host(one.body["client"]["addr"]), one.count)

    def event(self) -> Event:
        return {
            "kind": "login", "outcome": "refused", "database": self.database, "count": self.count,
            "reason": f"{self.count} that were too many to tell apart: {_most(self.reasons)}",
            "addresses": [f"{address} ({count})" for address, count in self.addresses.most_common(_NAMED)],
            "fromTime": timestamp(self.first), "toTime": timestamp(self.last),
        }  # fmt: skip


class RefusedLogins:
    """Those of one gate."""

    def __init__(
        self, record: Callable[[list[Event]], object], room: Callable[[], bool], now: Callable[[], datetime]
    ) -> None:
        self._record = record
        # Whether there is room for them, beside what statements need.
        self._room = room
        self._now = now
        self._alike: dict[bytes, _Alike] = {}
        # The kinds that were told of lately: within what span, and until when they count as going on.
        self._going_on: dict[bytes, tuple[float, float]] = {}
        self._rest: _Rest | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._summed = float("-inf")
        self._left, self._counted = float(_MOST_BYTES), 0.0
        self.total = 0

    def add(self, body: Event) -> None:
        """A login was refused."""
        self.total += 1
        now = self._now()
        kind = canonical(
            {**body, "session": "", "client": {**body["client"], "addr": _host(body["client"]["addr"])}}
        )  # fmt: skip
        known = self._alike.get(kind)
        if known is not None:
            known.count += 1
            known.last = now
        elif len(self._alike) < _MOST_KINDS:
            span = self._span(kind)
            self._alike[kind] = _Alike(body, now, now, span, _time() + span)
        else:
            self._put_aside(_Alike(body, now, now))
        self._wait()

    def tell(self, *, last: bool = False) -> None:
        """Record what is due; at the `last` time all of it, as well as it goes."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        time = _time()
        events = []
        for one in self._due(time, last=last):
            event = one.event()
            if (last or self._room()) and self._afford(len(canonical(event))):
                events.append(event)
            else:
                self._put_aside(one)
        if self._rest is not None and (last or (self._room() and time - self._summed >= SUM_SECONDS)):
            events.append(self._rest.event())
            self._rest, self._summed = None, time
        if events:
            self._record(events)
        if (self._rest is not None or self._alike) and not last:
            self._wait()

    def _due(self, time: float, *, last: bool) -> list[_Alike]:
        """Those that were gathered long enough; their kinds go on, for a while."""
        due = [kind for kind, one in self._alike.items() if last or one.due <= time]
        self._going_on = {kind: known for kind, known in self._going_on.items() if known[1] > time}
        for kind in due[:_MOST_GOING_ON]:
            span = self._alike[kind].span
            self._going_on[kind] = (span, time + 2 * min(span * _TIMES, _LONGEST_SPAN))
        for kind in list(self._going_on)[:-_MOST_GOING_ON]:
            del self._going_on[kind]
        return [self._alike.pop(kind) for kind in due]

    def _span(self, kind: bytes) -> float:
        """How long those of a kind are gathered that comes now."""
        span, until = self._going_on.get(kind, (0.0, 0.0))
        return min(span * _TIMES, _LONGEST_SPAN) if until > _time() else SECONDS

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self.tell)

    def _put_aside(self, one: _Alike) -> None:
        if self._rest is None:
            self._rest = _Rest(one.body["database"], one.first, one.last)
        self._rest.take(one)

    def _afford(self, size: int) -> bool:
        """Whether an event of that size may be recorded by now; if so, it counts."""
        time = _time()
        since, self._counted = time - self._counted, time
        self._left = min(float(_MOST_BYTES), self._left + since * _BYTES_PER_SECOND)
        if size > self._left:
            return False
        self._left -= size
        return True


def _time() -> float:
    return asyncio.get_running_loop().time()


def _host(address: str) -> str:
    """Without the port, which differs from one connection to the next."""
    return address.rpartition(":")[0]


def _tally(counter: Counter[str], name: str, count: int) -> None:
    counter[name if name in counter or len(counter) < _MOST_COUNTED else "others"] += count


def _most(counter: Counter[str]) -> str:
    named = [f"{name} ({count})" for name, count in counter.most_common(_NAMED)]
    return "; ".join([*named, "…"] if len(counter) > _NAMED else named)
