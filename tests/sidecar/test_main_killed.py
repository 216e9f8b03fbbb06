"""The programs, killed with SIGKILL at any moment under load: of what ran, the trail lacks nothing and has none twice.

A real server, a collector and a gate as processes, and clients that write and read meanwhile; `kills.py` says who is
killed when, and whose disk is full. A few times here; PENSTOCK_KILLS and PENSTOCK_KILLS_ON_A_FULL_DISK say how often
else (`make kill`: fifty and ten). Which statements the server ran is known from its tables and from its own log.
"""

from __future__ import annotations

import itertools
import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.sidecar.aftermath import Aftermath, key, look
from tests.sidecar.kills import SERIES, Series
from tests.sidecar.ledger import opened
from tests.sidecar.load import FIRST, REPEATED

from penstock_cli.demo.postgres import EmbeddedPostgres

pytestmark = pytest.mark.timeout(max(one.seconds for one in SERIES))
# What a server's log has of one series is nothing to the next.
NUMBERS = itertools.count(FIRST, 10_000_000)


@pytest.fixture(scope="module", params=SERIES, ids=lambda one: one.name.replace(" ", "-"))
def series(request: pytest.FixtureRequest) -> Series:
    played: Series = request.param
    return played


@pytest.fixture(scope="module")
def aftermath(
    series: Series, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Aftermath]:
    with opened(tmp_path_factory.mktemp("killed"), postgres, next(NUMBERS), series.pause, series.small) as ledger:
        gate, collector, load = ledger.gate, ledger.collector, ledger.load
        collector.start()
        collector.wait_until_it_listens()
        load.start()
        series.play(ledger, series.kills)
        gate.wait_until_it_listens()
        collector.wait_until_it_listens()
        time.sleep(1.0)
        load.stop()
        ledger.until_all_is_shipped()
        assert gate.end(signal.SIGTERM) == 0, gate.log.read_text()[-2000:]
        yield look(ledger)


def test_clients_worked_and_were_interrupted(aftermath: Aftermath, series: Series, pytestconfig: pytest.Config) -> None:
    """Else nothing below would say anything."""
    # Seen with `-s`, as `make kill` has it.
    pytestconfig.get_terminal_writer().line(f"\n{series.name}: {series.kills} kills; {aftermath.figures()}")
    load, kills = aftermath.load, series.kills
    assert load.surprises == []
    assert len(load.written) > 20 * kills
    assert len(load.read) > 5 * kills
    assert (load.interrupted > kills // 2) == (series.killed == "gate")
    assert (load.refused >= kills) == (series.small == "spool")


def test_nothing_is_lost(aftermath: Aftermath) -> None:
    assert aftermath.lost == set()


def test_nothing_is_there_twice(aftermath: Aftermath) -> None:
    assert aftermath.twice == []


def test_the_server_ran_what_is_in_its_tables(aftermath: Aftermath) -> None:
    assert set(aftermath.in_tables) - aftermath.server_ran == set()


def test_every_run_of_a_prepared_statement_has_its_intent(aftermath: Aftermath) -> None:
    count = sum(intent["sql"] == REPEATED for intent in aftermath.ran)
    assert aftermath.repeats <= count <= aftermath.load.repeats_tried


def test_every_intent_has_one_outcome_and_none_says_that_what_ran_did_not(aftermath: Aftermath) -> None:
    results, intents = aftermath.results(), aftermath.by_number()
    assert {one: results[one] for one in map(key, aftermath.intents) if len(results[one]) != 1} == {}
    assert set(results) - set(map(key, aftermath.intents)) == set()
    ran = {*aftermath.in_tables, *aftermath.load.read}
    told = Counter(results[one][0] for number in ran for one in intents[number])
    assert set(told) <= {"ok", "unknown"}


def test_every_chain_verifies_and_is_closed(aftermath: Aftermath, series: Series) -> None:
    report = aftermath.report
    assert report.findings == ()
    assert [(stream.stream, stream.notes) for stream in report.streams if stream.notes] == []
    status, words = aftermath.verified
    assert status == 0, words
    assert "intact" in words
    reasons = Counter(event["reason"] for event in aftermath.events if event["kind"] == "close")
    assert reasons.pop("shutdown") == 1
    if series.killed == "gate":
        # One of each gate that came so far as to record that it opened, and of the last one at least.
        assert series.kills // 2 < len(report.streams) <= 2 * series.kills + 1
        assert set(reasons) == {"the process ended without closing this stream"}
    else:
        assert (len(report.streams), reasons) == (1, {})
    assert [event for event in aftermath.events if event["kind"] == "loss"] == []


def test_nothing_is_left_in_the_spool_and_no_log_has_a_traceback(aftermath: Aftermath) -> None:
    assert aftermath.left_in_spool == 0
    assert "Traceback" not in aftermath.logs


def test_no_alarm_stands_for_a_stream(aftermath: Aftermath) -> None:
    assert [alarm for alarm in aftermath.alarms if alarm["owner"] == "ledger-gate"] == []
