"""What is there once all is over: what clients and server know of each statement, and what the collector has of it.

What doesn't belong: what must be true of it (`test_main_killed.py`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sidecar.ledger import VIEWER_TOKEN, Ledger
from tests.sidecar.load import NUMBER, Load
from tests.sidecar.spooled import waiting

from penstock_core.audit.event import BEGINS, ENDS, OWN
from penstock_core.audit.verify import Report, verify

# A stream, a session and its statement's number.
Key = tuple[str, str, int]


@dataclass(frozen=True)
class Aftermath:
    """Of one series of kills."""

    load: Load
    in_tables: list[int]
    repeats: int
    # Of writes the server was asked to run, whether they were committed or not.
    server_ran: set[int]
    events: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    report: Report
    # What `penstock audit verify` says of the export, and its exit status.
    verified: tuple[int, str]
    left_in_spool: int
    logs: str

    @property
    def intents(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] in BEGINS]

    @property
    def ran(self) -> list[dict[str, Any]]:
        """Without those that were not run since they could not be recorded."""
        return [event for event in self.intents if event["decision"] != "deny"]

    def by_number(self) -> dict[int, list[Key]]:
        found: dict[int, list[Key]] = defaultdict(list)
        for intent in self.intents:
            for number in NUMBER.findall(intent["sql"]):
                found[int(number)].append(key(intent))
        return found

    def results(self) -> dict[Key, list[str]]:
        found: dict[Key, list[str]] = defaultdict(list)
        for event in self.events:
            if event["kind"] in ENDS:
                found[key(event)].append(event["result"])
        return found

    @property
    def lost(self) -> set[int]:
        """What a client was told, or came to stay, that is not where it has to be.

        What the server ran within a transaction that was undone may be missing: only its COMMIT waits for the intents.
        """
        intents, stayed = self.by_number(), set(self.in_tables)
        told = self.load.written | self.load.read
        return {one for one in stayed | told if not intents[one]} | self.load.written - stayed

    @property
    def twice(self) -> list[object]:
        """What is in the tables, or in the trail, more than once."""
        found: list[object] = [one for one, count in Counter(self.in_tables).items() if count > 1]
        found += [one for one, intents in self.by_number().items() if len(intents) > 1]
        found += [one for one, count in Counter(map(key, self.intents)).items() if count > 1]
        places = Counter((event["stream"], event["seq"]) for event in self.events)
        return found + [one for one, count in places.items() if count > 1]

    def figures(self) -> str:
        results = Counter(result for results in self.results().values() for result in results)
        return (
            f"{len(self.server_ran)} writes ran, {len(self.in_tables)} of them for good; {self.repeats} of the "
            f"prepared one; {len(self.load.read)} reads answered; {self.load.interrupted} interrupted, "
            f"{self.load.refused} refused; {len(self.report.streams)} streams with {len(self.events)} events of "
            f"{len(self.intents)} statements; outcomes {dict(results)}; {len(self.lost)} lost, {len(self.twice)} twice"
        )


def key(event: dict[str, Any]) -> Key:
    return event["stream"], event["session"], event["statement"]


def look(ledger: Ledger) -> Aftermath:
    """All has ended but for the collector."""
    server, directory, first = ledger.server, ledger.directory, ledger.load.first
    end = time.monotonic() + 120
    while server.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'ledger'").strip() != "0":
        assert time.monotonic() < end, "sessions of gates that were killed are still there"
        time.sleep(0.1)
    export = directory / "export.jsonl"
    export.write_bytes(_fetched(ledger, "/v1/export"))
    lines = [json.loads(line) for line in export.read_bytes().splitlines()]
    events = [one for one in lines if not one.get("stream", OWN).startswith(OWN) and "export" not in one]
    log = (server.directory / "postgres.log").read_text(errors="replace")
    ran = [line for line in log.splitlines() if "INSERT INTO entries" in line]
    return Aftermath(
        load=ledger.load,
        in_tables=[int(number) for number in server.psql("SELECT number FROM entries", dbname="ledger").split()],
        repeats=int(server.psql("SELECT count(*) FROM repeats", dbname="ledger")),
        server_ran={number for line in ran for number in map(int, NUMBER.findall(line)) if number >= first},
        events=events,
        alarms=json.loads(_fetched(ledger, "/v1/alarms"))["alarms"],
        report=verify(events),
        verified=_verified(export),
        left_in_spool=len(waiting(ledger.spool)),
        logs="".join((directory / f"{name}.log").read_text() for name in ("proxy", "collector")),
    )


def _fetched(ledger: Ledger, path: str) -> bytes:
    url = f"http://127.0.0.1:{ledger.collector.port}{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {VIEWER_TOKEN}"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return bytes(answer.read())


def _verified(export: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "penstock_cli", "audit", "verify", str(export)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr
