"""A collector of its own process, beside one sender or viewer who wants all that there is, and what others notice."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from tests.collector.conftest import OTHER_WRITER, READER, WRITER, Sender, ndjson, token_line
from tests.collector.test_main_attacked import OPEN, Collector

from penstock_collector.settings import CollectorSettings

STATEMENTS = 4_000
# As long as the programs make them: it is looked at however many guess from the same address.
OTHER_READER = "a-token-of-another-viewer-that-nobody-guesses"
WORDS = " ".join(f"w{letter}" for letter in "abcdefghijkl")


@pytest.fixture
def collector(settings: CollectorSettings, tmp_path: Path) -> Iterator[Collector]:
    with settings.viewer_tokens_file.open("a") as viewers:
        viewers.write(token_line(OTHER_READER, "eve"))
    with Collector(settings, tmp_path / "log").running() as made:
        yield made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def filled(collector: Collector) -> None:
    """Statements of thirty words, which a search has to look through."""
    sender = Sender("gw1/history")
    events = sender.seal(OPEN)
    for number in range(STATEMENTS):
        words = " ".join(f"w{letter}{number % 97}" for letter in "abcdefghijklmnopqrstuvwxyz")
        events += sender.whole(number + 1, sql=f"SELECT {words} FROM t{number}")
    for start in range(0, len(events), 500):
        content = ndjson(events[start : start + 500])
        answer = collector.http.post("/v1/streams/gw1/history/events", content=content, headers=bearer(WRITER))
        assert answer.status_code == 200


def searches(http: httpx2.Client, turn: int) -> None:
    http.get("/v1/events", params={"q": WORDS, "limit": "1000"}, headers=bearer(READER))


def follows(http: httpx2.Client, turn: int) -> None:
    with http.stream("GET", "/tail", headers=bearer(READER)) as answer:
        next(answer.iter_raw(1), b"")


def names_streams(http: httpx2.Client, turn: int) -> None:
    name = f"gw1/made-up-{threading.get_ident()}-{turn}"
    http.post(f"/v1/streams/{name}/events", content=ndjson(Sender(name).seal(OPEN)), headers=bearer(WRITER))


def forks(http: httpx2.Client, turn: int) -> None:
    """Another event under the same number each time: an alarm."""
    content = ndjson(Sender("gw1/forked").seal({**OPEN, "database": f"shop{turn}"}))
    http.post("/v1/streams/gw1/forked/events", content=content, headers=bearer(WRITER))


def guesses(http: httpx2.Client, turn: int) -> None:
    http.get("/v1/streams", headers=bearer(f"wrong{turn}"))


def exports(http: httpx2.Client, turn: int) -> None:
    http.get("/v1/export", headers=bearer(READER))


ATTACKS = [forks, searches, follows, names_streams, guesses, exports]


@contextlib.contextmanager
def crowd(collector: Collector, attack: Callable[[httpx2.Client, int], None]) -> Iterator[None]:
    """Twelve connections that do nothing else."""
    over = threading.Event()

    def goes_on() -> None:
        with httpx2.Client(base_url=collector.http.base_url, trust_env=False, timeout=20) as http:
            turn = 0
            while not over.is_set():
                turn += 1
                with contextlib.suppress(httpx2.HTTPError):
                    attack(http, turn)

    threads = [threading.Thread(target=goes_on) for _ in range(12)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def p99(ask: Callable[[], httpx2.Response]) -> float:
    taken = []
    for _ in range(30):
        began = time.monotonic()
        answer = ask()
        taken.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
    return statistics.quantiles(taken, n=100, method="inclusive")[98]


def others(collector: Collector, victim: Sender) -> dict[str, float]:
    """The p99 of what others do: a gate that ships, a viewer who searches, the probes."""
    number = iter(range(victim.minute, 10**9))

    def ships() -> httpx2.Response:
        content = ndjson(victim.whole(next(number)))
        return collector.http.post("/v1/streams/gw2/boot1/events", content=content, headers=bearer(OTHER_WRITER))

    return {
        "a batch": p99(ships),
        "a search": p99(lambda: collector.http.get("/v1/events?q=t17", headers=bearer(OTHER_READER))),
        "/readyz": p99(lambda: collector.health.get("/readyz")),
        "/metrics": p99(lambda: collector.health.get("/metrics")),
    }


def test_one_who_asks_for_everything_holds_up_nobody(collector: Collector) -> None:
    filled(collector)
    victim = Sender("gw2/boot1")
    collector.http.post("/v1/streams/gw2/boot1/events", content=ndjson(victim.seal(OPEN)), headers=bearer(OTHER_WRITER))
    alone = others(collector, victim)
    print("p99 alone:", told(alone))  # noqa: T201
    for attack in ATTACKS:
        with crowd(collector, attack):
            beside = others(collector, victim)
        print(f"p99 beside one who {attack.__name__}:", told(beside), f"{collector.rss()} MiB")  # noqa: T201
        assert all(beside[one] < 5 * alone[one] + 2.0 for one in alone), attack.__name__
    # The chart's limit; and however many alarms came later, the worst is the first.
    assert collector.rss() < 512
    cards = collector.http.get("/v1/alarms", headers=bearer(OTHER_READER)).json()["cards"]
    assert cards[0]["kind"] == "fork"
    assert any(card["streams"] > 100 for card in cards[1:])


def told(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in found.items())
