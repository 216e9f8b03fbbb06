"""`penstock alarms` against a real collector: what stands, acknowledging it by name with a note, and what is over."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result
from tests.cli.conftest import Desk
from tests.collector.conftest import token_line

from penstock_cli.alarms import command
from penstock_collector.store import alarms
from penstock_collector.store.alarms import Alarm
from penstock_core.audit.chain import Head


class Watch(Desk):
    """A collector with alarms, and people of several roles."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        lines = {"ada": "roles=admin", "vic": "roles=viewer", "aud": "roles=auditor"}
        text = "".join(token_line(f"{name}-token", f"{name} {more}") for name, more in lines.items())
        (directory / "viewers").write_text(text)
        for name in lines:
            (directory / name).write_text(f"{name}-token\n")

    def sound(self, kind: Alarm, detail: str, *boots: str, then: float | None = None) -> None:
        """Streams with these boots have such an alarm; without, the collector itself."""
        for boot in boots:
            self.head = Head(f"gw1/{boot}")
            self.record({"kind": "open", "database": "shop"})

        def sound(connection: Any) -> None:
            streams = [
                connection.execute("SELECT id FROM streams WHERE name = ?", (f"gw1/{boot}",)).fetchone()[0]
                for boot in boots
            ]
            for stream in streams or [alarms.OWN]:
                alarms.sound(connection, stream, kind, 1, detail, time.time() if then is None else then)

        running = self.running.collector.writer.run(sound)
        asyncio.run_coroutine_threadsafe(running, self.loop).result(10)

    def alarms(self, *arguments: str, who: str = "ada") -> Result:
        environment = {
            "PENSTOCK_COLLECTOR_URL": self.running.url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.directory / who),
        }
        return CliRunner().invoke(command, arguments, env=environment)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0)
    # The collector is in this process, and would log into what the command prints.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    desk = Watch(tmp_path)
    yield desk
    desk.stop()
    structlog.reset_defaults()


def test_what_stands_is_told_by_kind_with_the_way_to_acknowledge_it(desk: Watch) -> None:
    assert desk.alarms().output == "no alarm stands\n"
    desk.sound(Alarm.QUARANTINE, "a line that is\x1b[2J no event", "boot1", then=1_764_400_000.25)
    desk.sound(Alarm.DISK, "3 days are left", then=1_764_400_060)
    assert desk.alarms(who="vic").output == desk.alarms("list").output == (
        "quarantine  1 stream of 1 sender, since 2025-11-29 07:06:40 UTC\n"
        "    gw1  1 stream\n"
        "        gw1/boot1  a line that is [2J no event\n"
        "    penstock alarms acknowledge quarantine --until 1764400000.25 --comment '…'\n"
        "disk  1 stream of 1 sender, since 2025-11-29 07:07:40 UTC\n"
        "    the collector  1 stream\n"
        "        the collector  3 days are left\n"
        "    penstock alarms acknowledge disk --until 1764400060.0 --comment '…'\n"
    )  # fmt: skip
    one = "disk  the collector  the collector  since 2025-11-29 07:07:40 UTC  3 days are left\n"
    assert desk.alarms("--kind", "disk").output == desk.alarms("--owner", "").output == one
    assert desk.alarms("--owner", "gw2").output == "no such alarm stands\n"


def test_for_programs_all_are_told(desk: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client._PAGE", 2)
    boots = [f"boot{number}" for number in range(5)]
    desk.sound(Alarm.GAP, "seq 4 missing", *boots)
    found = [json.loads(line) for line in desk.alarms("--json").output.splitlines()]
    assert [one["stream"] for one in found] == [f"gw1/{boot}" for boot in reversed(boots)]
    assert {one["kind"] for one in found} == {"gap"}


def test_somebody_has_looked_and_says_what_was_found(desk: Watch) -> None:
    desk.sound(Alarm.FORK, "two events claim seq 7", "boot1", "boot2")
    done = desk.alarms("acknowledge", "fork", "--owner", "gw1", "--comment", "a restored volume")
    assert (done.exit_code, done.output) == (0, "fork: 2 acknowledged\n")
    assert desk.alarms().output == "no alarm stands\n"
    for line in desk.alarms("history", who="aud").output.splitlines():
        words = (
            r"fork  gw1/boot[12]  gw1  .* UTC to .* UTC  two events claim seq 7; acknowledged by ada: a restored volume"
        )
        assert re.fullmatch(words, line)
    past = [json.loads(line) for line in desk.alarms("history", "--json", "--limit", "1").output.splitlines()]
    assert [(one["stream"], one["cleared_by"], one["comment"]) for one in past] == [
        ("gw1/boot2", "ada", "a restored volume")
    ]
    assert desk.alarms("history", "--kind", "gap").output == "no such alarm is over\n"


def test_what_was_raised_after_the_list_stands(desk: Watch) -> None:
    desk.sound(Alarm.FORK, "one", "boot1", then=1_764_400_000)
    listed = desk.alarms().output.splitlines()[-1]
    desk.sound(Alarm.FORK, "another", "boot2")
    _, _, *arguments = listed.replace("'…'", "seen").split()
    assert desk.alarms(*arguments).output == "fork: 1 acknowledged\n"
    assert "another" in desk.alarms().output


def test_many_are_acknowledged_however_few_the_collector_takes_at_once(
    desk: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "MOST_ACKNOWLEDGED", 2)
    monkeypatch.setattr("penstock_cli.alarms._AT_ONCE", 2)
    desk.sound(Alarm.LOST, "gone", *[f"boot{number}" for number in range(5)])
    assert desk.alarms("acknowledge", "lost", "--comment", "known").output == "lost: 5 acknowledged\n"


@pytest.mark.parametrize(
    ("arguments", "who", "status", "words"),
    [
        (["acknowledge", "fork", "--comment", "x"], "vic", 1, "admin"),
        (["acknowledge", "fork"], "ada", 2, "--comment"),
        (["acknowledge", "frok", "--comment", "x"], "ada", 1, "kind is one of emergency, fork"),
        (["acknowledge", "gap", "--comment", "x"], "ada", 1, "no alarm gap stands that was raised until then"),
        (["acknowledge", "fork", "--owner", "gw2", "--comment", "x"], "ada", 1, "no alarm fork of gw2 stands"),
        (["acknowledge", "fork", "--until", "12", "--comment", "x"], "ada", 1, "no alarm fork stands"),
        (["acknowledge", "fork", "--until", "soon", "--comment", "x"], "ada", 2, "--until"),
        (["acknowledge", "fork", "--comment", "x" * 2000], "ada", 1, "the comment is longer than"),
        (["--kind", "frok"], "ada", 1, "kind is one of"),
        (["history"], "vic", 1, "auditor"),
        (["list"], "nobody", 1, "cannot read"),
        (["list", "--url", "http://127.0.0.1:9"], "ada", 1, "cannot be reached"),
    ],
)
def test_each_failure_is_one_line(arguments: list[str], who: str, status: int, words: str, desk: Watch) -> None:
    desk.sound(Alarm.FORK, "one", "boot1")
    done = desk.alarms(*arguments, who=who)
    assert done.exit_code == status, done.output
    assert words in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("Error")]) == 1
    assert "Traceback" not in done.output
    assert "fork" in desk.alarms().output
