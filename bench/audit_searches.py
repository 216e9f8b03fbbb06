"""What people look for in a trail, each many times: how long it takes.

What doesn't belong: the trail (`made_trail.py`), all else that is measured of the store (`audit.py`).
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import quantiles

from penstock_collector.search import STATEMENTS, Filters, detail
from penstock_collector.store.readers import Readers

_Question = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True, slots=True)
class Latency:
    """Of many questions, or whatever, of one kind."""

    p50_ms: float
    p99_ms: float
    longest_ms: float


class Searches:
    """Asks as the collector's pages do."""

    def __init__(self, readers: Readers, seed: int = 1) -> None:
        self._readers = readers
        self._random = random.Random(seed)

    async def measure(self, repeats: int) -> dict[str, Latency]:
        """By what is looked for; `all` is all of them."""
        taken: dict[str, list[float]] = {}
        for _ in range(repeats):
            for name, question in (await self._readers.run(self._questions)).items():
                began = time.perf_counter()
                await self._readers.run(question)
                taken.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
        taken["all"] = [one for many in taken.values() for one in many]
        return {name: latency(many) for name, many in taken.items()}

    def _questions(self, connection: sqlite3.Connection) -> dict[str, _Question]:
        """About statements that there are, anywhere in the trail."""
        last = connection.execute("SELECT max(id) FROM statements").fetchone()[0]
        stream, seq, session, moment = connection.execute(
            """SELECT t.name, r.seq, r.session, r.id FROM statements_told r CROSS JOIN streams t ON t.id = r.stream
               WHERE r.id >= ? LIMIT 1""",
            (self._random.randint(1, last),),
        ).fetchone()
        time_ = STATEMENTS.page(connection, Filters(), moment + 1, 1).records[0].time
        looked_for = {
            "latest": Filters(),
            "a word of many": Filters(q="customers"),
            "a word of few": Filters(q="without"),
            "a word that is nowhere": Filters(q="nowhere"),
            "words and a person": Filters(q="orders placed_at", identity="mara"),
            "refused": Filters(decision="deny"),
            "of a table": Filters(relation="public.payments"),
            "of a session": Filters(session=session),
            "of a stream, with a word": Filters(stream=stream, q="vouchers"),
            "before a time": Filters(until=time_),
            "before a time, with a word": Filters(until=time_, q="vouchers"),
        }
        pages: dict[str, _Question] = {name: partial(_page, filters=filters) for name, filters in looked_for.items()}
        return {**pages, "a statement's page": partial(detail, stream=stream, seq=seq)}


def _page(connection: sqlite3.Connection, filters: Filters) -> object:
    return STATEMENTS.page(connection, filters)


def latency(taken: list[float]) -> Latency:
    """Of so many milliseconds each."""
    cuts = quantiles(taken, n=100, method="inclusive") if len(taken) > 1 else [taken[0]] * 99
    return Latency(round(cuts[49], 3), round(cuts[98], 3), round(max(taken), 3))
