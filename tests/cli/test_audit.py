"""`penstock audit` against a real collector: what it prints, how it exits, and that each failure is one line."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner, Result
from tests.cli.conftest import Desk

from penstock_cli.audit import command
from penstock_cli.terminal_text import printable


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


def test_search_tells_what_was_rolled_back(desk: Desk) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    ended = {"kind": "transaction", "session": "s1", "transaction": 4, "result": "rollback"}
    intent, _ = desk.statement(2, transaction=4)
    desk.record(ended)
    lines = desk.run("search").output.splitlines()
    assert [
        line.rstrip().endswith(told) for line, told in zip(lines[1:], ["2 rows, rolled back", "1 row"], strict=True)
    ] == [
        True,
        True,
    ]
    (one, _) = [json.loads(line) for line in desk.run("search", "--json").output.splitlines()]
    assert (one["seq"], one["transaction_end"]) == (intent["seq"], "rollback")


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


ANY = ("search", "tail", "export", "verify")


@pytest.mark.parametrize("name", ANY)
def test_a_collector_that_is_not_there(name: str, desk: Desk) -> None:
    result = desk.run(name, url="http://127.0.0.1:9")
    assert result.exit_code == (2 if name == "verify" else 1)
    assert result.output.startswith("Error: collector http://127.0.0.1:9 cannot be reached: ")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize("name", ANY)
def test_a_wrong_token(name: str, desk: Desk) -> None:
    (desk.directory / "token").write_text("wrong")
    result = desk.run(name)
    assert (result.exit_code, result.output) == (
        2 if name == "verify" else 1,
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


def test_json_is_as_readable_and_as_harmless_as_the_table(desk: Desk) -> None:
    desk.record({"kind": "open"})
    sql = "SELECT 'größe 東京 \x9b2J \u202e \x7f \U000e0001'"
    desk.statement(1, sql=sql)
    output = desk.run("search", "--json").output
    assert "größe 東京" in output
    assert output.rstrip("\n").isprintable()
    assert json.loads(output)["sql"] == sql


def test_an_export_without_its_end_is_no_success(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client.CollectorClient.export", lambda self, stream: iter([b"{}"]))
    result = desk.run("export")
    assert (result.exit_code, result.stdout) == (1, "{}\n")
    assert result.stderr == "Error: the export has no end: the collector stopped, or the connection was cut\n"
