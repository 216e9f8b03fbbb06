"""Clients of a gate that comes and goes: they write and read by every protocol, and know what they were told.

What doesn't belong: what must be true of it all afterwards (`test_main_killed.py`).
"""

from __future__ import annotations

import itertools
import random
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

CLIENTS = 6
# Every statement has a number of its own in its text, by which it is found in tables, logs and the trail…
FIRST = 900_000_001
NUMBER = re.compile(r"\b9\d{8}\b")
# …but this one, which is prepared once a session: its number is a parameter, and those are never kept.
REPEATED = "INSERT INTO repeats (number) VALUES ($1)"
# What a client may be told when its gate dies: nothing, or that it is not there yet. And when nothing can be recorded.
LOST = {None, "57P01", "57P02", "57P03", "08000", "08001", "08003", "08006", "53100"}


@dataclass
class Load:
    """Clients that write and read until they are told to stop, and what they know of their statements."""

    url: str
    # Where their numbers begin.
    first: int = FIRST
    # How long each waits before it goes on.
    pause: float = 0.0
    numbers: Iterator[int] = field(init=False)
    stopped: threading.Event = field(default_factory=threading.Event)
    # Numbers of statements whose results were received.
    written: set[int] = field(default_factory=set)
    read: set[int] = field(default_factory=set)
    # How often the statement without a number was sent, and how often a client lost its gate while it waited.
    repeats_tried: int = 0
    interrupted: int = 0
    # How often it was told that nothing can be recorded.
    refused: int = 0
    surprises: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.numbers = itertools.count(self.first)
        self._threads = [threading.Thread(target=self._client, args=(place,)) for place in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self, place: int) -> None:
        rng = random.Random(place)
        while not self.stopped.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as client:
                    while not self.stopped.is_set():
                        self._ask(client, rng.choice(WAYS))
                        time.sleep(self.pause)
            except psycopg.Error as error:
                if not isinstance(error, psycopg.OperationalError) or error.sqlstate not in LOST:
                    self.surprises.append(f"{type(error).__name__} {error.sqlstate}: {error}")
                    return
                time.sleep(0.03)

    def _ask(self, client: psycopg.Connection[Any], way: Any) -> None:
        numbers = list(itertools.islice(self.numbers, 3))
        try:
            way(self, client, numbers)
        except psycopg.errors.DiskFull:
            with self.lock:
                self.refused += 1
            # Of a transaction the ROLLBACK is refused likewise: whoever uses the session further drops it.
            if client.closed or client.info.transaction_status != TransactionStatus.IDLE:
                raise
        except psycopg.OperationalError:
            with self.lock:
                self.interrupted += 1
            raise

    def simple(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        client.execute(insert(numbers[0]))
        self.written.add(numbers[0])

    def extended(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        client.execute(f"INSERT INTO entries (number, note) VALUES ({numbers[0]}, %s)", ("a note",), prepare=False)
        self.written.add(numbers[0])

    def prepared(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        client.execute(f"INSERT INTO entries (number, note) VALUES ({numbers[0]}, %s)", ("a note",), prepare=True)
        self.written.add(numbers[0])

    def repeated(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        for number in numbers:
            with self.lock:
                self.repeats_tried += 1
            client.execute("INSERT INTO repeats (number) VALUES (%s)", (number,), prepare=True)

    def several(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        client.execute("; ".join(map(insert, numbers)))
        self.written.update(numbers)

    def transaction(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        with client.transaction():
            client.execute(insert(numbers[0]))
            client.execute(select(numbers[1])).fetchall()
            self.read.add(numbers[1])
            client.execute(insert(numbers[2]))
        self.written.update({numbers[0], numbers[2]})

    def pipeline(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        with client.pipeline():
            for number in numbers:
                client.execute(insert(number))
        self.written.update(numbers)

    def reading(self, client: psycopg.Connection[Any], numbers: list[int]) -> None:
        for number, prepare in zip(numbers, (None, False, True), strict=True):
            found = client.execute(select(number), None if prepare is None else (), prepare=prepare).fetchall()
            assert found[0] == (number, "a***@example.com")
            self.read.add(number)


WAYS = (
    Load.simple, Load.extended, Load.prepared, Load.repeated, Load.several, Load.transaction, Load.pipeline,
    Load.reading,
)  # fmt: skip


def insert(number: int) -> str:
    return f"INSERT INTO entries (number) VALUES ({number})"


def select(number: int) -> str:
    return f"SELECT {number}, email FROM people"
