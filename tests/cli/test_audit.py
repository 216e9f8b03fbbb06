"""`penstock audit` against a real collector: what it prints, how it exits, and that each failure is one line."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from penstock_cli.audit import command
from penstock_cli.statement_view import printable
from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings
from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.event import Event

# Without the collector's own stream, which tells of the readings.
GATE = ("--stream", "gw1/boot1")


class Desk:
    """A collector in a thread of its own, and a person at a terminal."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        for name, token, owner in [("streams", "w", "gw1"), ("viewers", "reader", "ada")]:
            (directory / name).write_text(f"{hashlib.sha256(token.encode()).hexdigest()} {owner}\n")
        (directory / "token").write_text("reader\n")
        settings = CollectorSettings(
            listen="127.0.0.1:0",
            database=directory / "audit.db",
            stream_tokens_file=directory / "streams",
            viewer_tokens_file=directory / "viewers",
        )
        ready = threading.Event()

        def started(running: RunningCollector) -> None:
            self.running = running
            self.loop = asyncio.get_running_loop()
            ready.set()

        self.thread = threading.Thread(target=lambda: asyncio.run(serve(settings, started)))
        self.thread.start()
        assert ready.wait(10)
        self.head = Head("gw1/boot1")

    def record(self, *bodies: Event) -> list[Event]:
        events = []
        for body in bodies:
            event, self.head = self.head.seal(body, f"2026-11-25T09:{self.head.seq:02}:00.000000Z")
            events.append(event)
        response = httpx2.post(
            f"{self.running.url}/v1/streams/gw1/boot1/events",
            content=b"".join(canonical(event) + b"\n" for event in events),
            headers={"authorization": "Bearer w"},
            trust_env=False,
        )
        assert response.json() == {"acknowledged": self.head.seq}
        return events

    def statement(self, number: int, **fields: Any) -> list[Event]:
        key = {"session": "s1", "statement": number}
        intent = {
            "kind": "intent",
            **key,
            "identity": {"name": "sa:shop/web"},
            "decision": "allow",
            "verbs": ["select"],
        }
        outcome = {"kind": "outcome", **key, "result": "ok", "rows": number}
        return self.record({**intent, "sql": f"SELECT {number} FROM orders", **fields}, outcome)

    def run(self, *arguments: str, url: str | None = None, **options: Any) -> Result:
        environment = {
            "PENSTOCK_COLLECTOR_URL": url or self.running.url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.directory / "token"),
            "COLUMNS": "120",
        }
        return CliRunner().invoke(command, arguments, env=environment, **options)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.running.stop)
        self.thread.join()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.stop()


def test_search_shows_a_table(desk: Desk) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    desk.statement(
        2, decision="deny", identity={"name": "agent:bot"}, reason="DELETE without WHERE", sql="DELETE FROM t"
    )
    result = desk.run("search")
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()[1:3]
    assert first.split()[1:4] == ["09:03:00.000", "agent:bot", "denied"]
    assert "DELETE FROM t  DELETE without WHERE" in first
    assert second.split()[2:] == ["sa:shop/web", "allowed", "SELECT", "1", "FROM", "orders", "1", "row"]


def test_search_filters_and_limits(desk: Desk) -> None:
    desk.record({"kind": "open"})
    for number in range(1, 13):
        desk.statement(number, decision="deny" if number % 2 else "allow")
    found = [json.loads(line) for line in desk.run("search", "--json", "--decision", "deny").output.splitlines()]
    assert [one["statement"] for one in found] == ["11", "9", "7", "5", "3", "1"]
    assert len(desk.run("search", "--json", "--limit", "3").output.splitlines()) == 3
    assert len(desk.run("search", "--json", "orders", "12").output.splitlines()) == 1
    assert desk.run("search", "--json", "nothing").output == ""


def test_search_turns_pages(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client._PAGE", 4)
    desk.record({"kind": "open"})
    for number in range(10):
        desk.statement(number)
    found = [json.loads(line)["statement"] for line in desk.run("search", "--json", "--limit", "9").output.splitlines()]
    assert found == [str(number) for number in range(9, 0, -1)]


def test_logins_show_who_came_and_who_was_refused(desk: Desk) -> None:
    client = {"addr": "10.0.0.7:4711", "application": "till", "user": "app", "database": "shop"}
    desk.record(
        {"kind": "open"},
        {"kind": "login", "outcome": "accepted", "session": "s1", "client": client, "identity": {"name": "person:ada"}},
        {"kind": "session", "event": "end", "session": "s1", "reason": "the client ended the session", "statements": 3,
         "durationUs": 1_500_000},
        {"kind": "login", "outcome": "refused", "client": {**client, "addr": "10.9.9.9"}, "count": 7,
         "sqlstate": "28P01", "reason": "the token has expired",
         "asserted": {"subject": "mal\x1b[2Jlory", "issuer": "https://evil.example"}},
    )  # fmt: skip
    result = desk.run("logins")
    assert result.exit_code == 0, result.output
    assert [line.strip() for line in result.output.splitlines()] == [
        "2026-11-25 09:03:00.000  refused 7 times  nobody",
        "the token has expired (28P01)",
        "claims to be mal [2Jlory (https://evil.example)",
        "from 10.9.9.9, user app, application till, database shop",
        "2026-11-25 09:01:00.000  accepted  person:ada  ended, 3 statements, 1.5 s: the client ended the session",
        "from 10.0.0.7:4711, user app, application till, database shop",
    ]
    found = [json.loads(line) for line in desk.run("logins", "--json", "--outcome", "refused").output.splitlines()]
    assert [one["count"] for one in found] == [7]
    assert desk.run("logins", "--json", "--identity", "mallory", "expired").output == ""
    assert len(desk.run("logins", "--json", "--address", "10.0.0.7").output.splitlines()) == 1
    refused = desk.run("logins", "--outcome", "perhaps")
    assert refused.exit_code == 1
    assert "outcome is one of accepted, refused" in refused.output


def test_what_is_recorded_cannot_command_the_terminal(desk: Desk) -> None:
    desk.record({"kind": "open"})
    desk.statement(1, sql="SELECT '\x1b[2J\x1b]0;owned\x07\u202e' -- [red]markup[/red]", identity={"name": "\x1b[31mx"})
    output = desk.run("search").output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "[red]markup[/red]" in output


@pytest.mark.parametrize(
    ("value", "shown"), [("a\nb", "a b"), ("\x9b31m", " 31m"), ("größe 東京", "größe 東京"), (7, "7")]
)
def test_printable(value: object, shown: str) -> None:
    assert printable(value) == shown


def test_tail_follows(desk: Desk) -> None:
    desk.record({"kind": "open"})
    results: list[Result] = []
    for as_json in (True, False):
        thread = threading.Thread(
            target=lambda json=as_json: results.append(desk.run("tail", *(["--json"] if json else [])))
        )
        thread.start()
        for _ in range(100):
            if desk.running.collector.tail.followers:
                break
            threading.Event().wait(0.05)
        desk.statement(1)
        threading.Event().wait(0.4)
        desk.loop.call_soon_threadsafe(desk.running.collector.tail.stop)
        thread.join(10)
        desk.running.collector.tail._stopping = False
    as_json_output, as_text = (result.output for result in results)
    assert json.loads(as_json_output.splitlines()[0])["sql"] == "SELECT 1 FROM orders"
    assert "allowed sa:shop/web  SELECT 1 FROM orders" in as_text
    assert "1 row" in as_text
    assert as_text.splitlines()[-1] == f"Error: collector {desk.running.url} has closed the connection"
    assert [result.exit_code for result in results] == [1, 1]


def test_export_and_verify(desk: Desk, tmp_path: Path) -> None:
    events = desk.record({"kind": "open"}) + desk.statement(1) + desk.record({"kind": "close"})
    assert desk.run("export", *GATE, "-o", str(tmp_path / "export.jsonl")).exit_code == 0
    assert [json.loads(line) for line in (tmp_path / "export.jsonl").read_text().splitlines()] == events
    for arguments, given in [
        ((str(tmp_path / "export.jsonl"),), None),
        (GATE, None),
        (("-",), desk.run("export", *GATE).output),
    ]:
        result = desk.run("verify", *arguments, input=given)
        assert (result.exit_code, result.output.splitlines()) == (
            0,
            ["gw1/boot1: 4 events, seq 1 to 4, intact", "intact"],
        )


def test_verify_finds_what_was_altered(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    desk.statement(2)
    export = desk.run("export", *GATE).output
    path = tmp_path / "export.jsonl"
    path.write_text(export.replace("SELECT 2 FROM orders", "SELECT 3 FROM orders"))
    result = desk.run("verify", str(path))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[:2] == [
        "gw1/boot1: 5 events, seq 1 to 5, 1 faults",
        "  altered: event 4 was altered after it was sealed",
    ]
    assert result.stderr == "NOT INTACT: 1 findings\n"
    rows = export.splitlines(keepends=True)
    path.write_text("".join(rows[:2] + rows[3:]) + "half a li")
    result = desk.run("verify", str(path))
    assert (result.exit_code, "gap: seq 3 missing" in result.output, "malformed" in result.output) == (1, True, True)
    path.write_text("".join(rows[2:]))
    assert desk.run("verify", str(path)).exit_code == 1
    assert desk.run("verify", "--partial", str(path)).exit_code == 0


def test_verify_against_heads_that_were_kept(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    streams = httpx2.get(
        f"{desk.running.url}/v1/streams", headers={"authorization": "Bearer reader"}, trust_env=False
    ).text
    (tmp_path / "heads.json").write_text(streams)
    path = tmp_path / "export.jsonl"
    path.write_text(desk.run("export").output)
    assert desk.run("verify", "--heads", str(tmp_path / "heads.json"), str(path)).exit_code == 0
    path.write_text("".join(desk.run("export", *GATE).output.splitlines(keepends=True)[:-1]))
    assert desk.run("verify", str(path)).exit_code == 0
    cut = desk.run("verify", "--heads", str(tmp_path / "heads.json"), str(path))
    assert (cut.exit_code, "cut: ends at seq 2, yet 3 was reached" in cut.output) == (1, True)
    (tmp_path / "heads.json").write_text("[]")
    assert desk.run("verify", "--heads", str(tmp_path / "heads.json"), str(path)).exit_code == 2


def test_verify_of_nothing_is_no_success(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = desk.run("verify", str(tmp_path / "empty"))
    assert (result.exit_code, "no audit events there" in result.output) == (2, True)
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\n")
    assert desk.run("verify", str(tmp_path / "picture")).exit_code == 1


ANY = ("search", "tail", "export", "verify")


@pytest.mark.parametrize("name", ANY)
def test_a_collector_that_is_not_there(name: str, desk: Desk) -> None:
    result = desk.run(name, url="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.output.startswith("Error: collector http://127.0.0.1:9 cannot be reached: ")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("name", ANY)
def test_a_wrong_token(name: str, desk: Desk) -> None:
    (desk.directory / "token").write_text("wrong")
    result = desk.run(name)
    assert (result.exit_code, result.output) == (
        1,
        f"Error: collector {desk.running.url} does not know this viewer token (--token-file)\n",
    )


@pytest.mark.parametrize("name", ANY)
def test_a_token_file_or_url_that_cannot_be_used(name: str, desk: Desk) -> None:
    (desk.directory / "token").unlink()
    result = desk.run(name)
    assert result.output == f"Error: cannot read {desk.directory / 'token'}: No such file or directory\n"
    for url in ("ftp://x", "localhost:8080", "http://[::"):
        result = desk.run(
            name, "--token-file", __file__ if url == "http://[::" else str(desk.directory / "viewers"), url=url
        )
        assert result.exit_code in (1, 2)
        assert "Traceback" not in result.output
        assert isinstance(result.exception, SystemExit)


def test_no_url_is_a_usage_error() -> None:
    result = CliRunner().invoke(command, ["search"], env={"PENSTOCK_COLLECTOR_URL": ""})
    assert (result.exit_code, "give the collector's URL" in result.output) == (2, True)


def test_a_bad_filter_is_said_by_the_collector(desk: Desk) -> None:
    for name in ("search", "tail"):
        result = desk.run(name, "--since", "yesterday")
        assert (result.exit_code, "answers 400: since is a time such as" in result.output) == (1, True)


def test_an_export_keeps_lines_whole_whatever_separators_stand_in_them(desk: Desk) -> None:
    desk.record({"kind": "open"})
    desk.statement(1, sql="SELECT '\u2028 \u0085 \u2029 \x0b \x1c'")
    result = desk.run("verify")
    assert result.exit_code == 0, result.output
    assert len(desk.run("export", *GATE).output.split("\n")) == 4


def test_readings_are_listed_filtered_and_paged(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client._PAGE", 2)
    for word in ("first", "second", "third\x1b[2J"):
        desk.run("search", word)
    desk.run("export")
    shown = desk.run("readings", "--action", "searched")
    assert shown.exit_code == 0, shown.output
    assert [line.split()[2] for line in shown.output.splitlines()] == ["ada", "ada", "ada"]
    assert "q=third [2J" in shown.output.splitlines()[0]
    assert "\x1b" not in shown.output
    found = [json.loads(line) for line in desk.run("readings", "--json", "--limit", "9").output.splitlines()]
    assert [one["action"] for one in found if one.get("what") != "/v1/readings"] == ["exported", *["searched"] * 3]
    assert len({one["seq"] for one in found}) == len(found) > 4
    assert [one["seq"] for one in found] == sorted((one["seq"] for one in found), reverse=True)
    assert desk.run("readings", "--who", "nobody").output == ""


def test_the_readings_are_exported_and_verified_with_the_rest(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.run("search", "cards")
    exported = desk.run("export").output
    own = [json.loads(line) for line in exported.splitlines() if '"stream":"collector:' in line]
    assert [one.get("action", one["kind"]) for one in own] == ["open", "searched", "exported"]
    heads = tmp_path / "heads.json"
    headers = {"authorization": "Bearer reader"}
    heads.write_text(httpx2.get(f"{desk.running.url}/v1/streams", headers=headers, trust_env=False).text)
    exported = desk.run("export").output
    verified = desk.run("verify", "-", "--heads", str(heads), input=exported)
    assert (verified.exit_code, verified.output.count("intact")) == (0, 3), verified.output
    forged = desk.run("verify", "-", input=exported.replace("cards", "cords"))
    assert forged.exit_code == 1
    assert "was altered after it was sealed" in forged.output
    less = "".join(line + "\n" for line in exported.splitlines() if '"searched"' not in line)
    assert "seq 2 missing" in desk.run("verify", "-", input=less).output
    cut = "".join(line + "\n" for line in exported.splitlines() if '"action"' not in line)
    assert "cut: ends at seq 1, yet" in desk.run("verify", "-", "--heads", str(heads), input=cut).output
