"""`penstock requests` against a real collector: what is listed, shown and decided, and each failure in one line."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
from click.testing import CliRunner, Result
from tests.cli.test_audit import Desk
from tests.collector.conftest import ASKING, asking_about, token_line

from penstock_cli.requests import command


class Approvers(Desk):
    """A collector, and people at terminals of their own."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        lines = {"ada": "", "bea": "groups=dba", "dan": "groups=dba also=dan@shop.example"}
        text = "".join(token_line(f"{name}-token", f"{name} {more}".strip()) for name, more in lines.items())
        (directory / "viewers").write_text(text)
        for name in lines:
            (directory / name).write_text(f"{name}-token\n")

    def ask(self, asking: dict[str, Any] = ASKING) -> dict[str, Any]:
        response = httpx2.post(
            f"{self.running.url}/v1/streams/gw1/requests",
            json=asking,
            headers={"authorization": "Bearer w"},
            trust_env=False,
        )
        answer: dict[str, Any] = response.json()
        return answer

    def made(self, asking: dict[str, Any] = ASKING) -> str:
        return str(self.ask(asking)["request"])

    def requests(self, *arguments: str, who: str = "bea", url: str | None = None) -> Result:
        environment = {
            "PENSTOCK_COLLECTOR_URL": url or self.running.url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.directory / who),
        }
        return CliRunner().invoke(command, arguments, env=environment)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Approvers]:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0)
    # The collector is in this process, and would log into what the command prints.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    desk = Approvers(tmp_path)
    yield desk
    desk.stop()
    structlog.reset_defaults()


def test_the_list_says_who_what_when_and_how_to_approve(desk: Approvers) -> None:
    assert desk.requests().output == "no request is waiting\n"
    name = desk.made()
    for arguments in ([], ["list"], ["--url", desk.running.url]):
        head, times, then = desk.requests(*arguments).output.splitlines()
        assert head == (
            f"{name}  waiting  agent:support-bot for person:dan@shop.example  DELETE on public.orders  about 1,200 rows"
        )
        assert re.fullmatch(
            r"    since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, until .{23}, held by support/deletes,"
            r" to be approved by dba, owners",
            times,
        )
        assert then == f"    penstock requests approve {name}"
    assert "dan may not decide" in desk.requests(who="dan").output
    (one,) = [json.loads(line) for line in desk.requests("--json").output.splitlines()]
    assert (one["name"], one["standing"]) == (name, "waiting")


def test_the_list_turns_pages(desk: Approvers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client._PAGE", 2)
    names = [desk.made(asking_about(f"DELETE FROM orders WHERE id = {number}")) for number in range(5)]
    for standing in ("due", "waiting", "all"):
        listed = desk.requests("list", "--json", "--standing", standing).output.splitlines()
        assert [json.loads(line)["name"] for line in listed] == names[::-1]


def test_approving_lets_it_run_once(desk: Approvers) -> None:
    name = desk.made()
    done = desk.requests("approve", name, "--comment", "after the backup")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{name} approved: agent:support-bot for person:dan@shop.example, DELETE on public")
    assert "approved by bea" in desk.requests("list", "--standing", "approved").output
    assert desk.ask()["standing"] == "granted"
    assert "approved by bea: after the backup; used" in desk.requests("show", name).output
    assert desk.requests("--standing", "all").output.startswith(f"{name}  used")


def test_denying_says_why(desk: Approvers) -> None:
    name = desk.made()
    without = desk.requests("deny", name)
    assert (without.exit_code, "--comment" in without.output) == (2, True)
    assert desk.requests("deny", name, "--comment", "wrong table").output.startswith(f"{name} denied: ")
    assert desk.ask()["comment"] == "wrong table"


def test_one_is_shown_in_full_to_those_it_asks(desk: Approvers) -> None:
    name = desk.made(asking_about("DELETE\n\tFROM orders\n-- \u202e\x1b[2J fine", reason="\x07now"))
    shown = desk.requests("show", name).output
    assert "  | DELETE\n  |         FROM orders\n  | -- \\u202e\\u001b[2J fine\n" in shown
    assert "\\u0007now" in shown
    assert "cost:        35.5" in shown
    assert "masked:      public.orders.email" in shown
    foreign = desk.requests("show", name, who="ada").output
    assert "FROM orders" not in foreign
    assert "it is shown to the approvers' groups" in foreign


def test_other_rules_that_hold_it_are_shown_with_how_they_stand(desk: Approvers) -> None:
    other = {"policy": "owners", "approval": "writes", "policyGeneration": 3, "approvers": ["dba"]}
    told = desk.ask({**ASKING, "alsoHeldBy": [other]})
    names = {one["approval"]: one["request"] for one in told["ofRules"]}
    shown = desk.requests("show", names["deletes"], who="ada").output
    assert f"held, too:   by owners/writes: {names['writes']} waiting for dba\n" in shown
    desk.requests("approve", names["writes"])
    shown = desk.requests("show", names["deletes"]).output
    assert f"held, too:   by owners/writes: {names['writes']} approved by bea\n" in shown


def test_after_the_retention_the_decision_is_shown(desk: Approvers) -> None:
    name = desk.made()
    desk.requests("deny", name, "--comment", "wrong table")
    held = desk.running.collector.holder

    async def years_later() -> int:
        later = held.clock() + 800 * 86_400
        held.clock = lambda: later
        return await held.dispose(365)

    assert asyncio.run_coroutine_threadsafe(years_later(), desk.loop).result(10) == 1
    shown = desk.requests("show", name).output
    assert "(the text went when the retention was over)" in shown
    assert "denied by bea" in shown
    assert "eva@shop.example" not in shown


@pytest.mark.parametrize(
    ("arguments", "who", "status", "words"),
    [
        (["approve", "NAME"], "ada", 1, "ada may not decide: they are in none of the approvers' groups (dba, owners)"),
        (["approve", "NAME"], "dan", 1, "dan may not decide: they asked for it"),
        (["approve", "r-2222-2222"], "bea", 1, "there is no request r-2222-2222"),
        (["show", "r-2222-2222"], "bea", 1, "there is no request r-2222-2222"),
        (["approve", "../streams"], "bea", 2, "a request's name is like r-7k3f-9m2q"),
        (["approve", "NAME", "--comment", "x" * 2000], "bea", 1, "the comment is longer than 1024 characters"),
        (["deny", "NAME", "--comment", " "], "bea", 1, "a denial needs a comment"),
        (["list"], "nobody", 1, "cannot read"),
        (["list", "--url", "http://127.0.0.1:9"], "bea", 1, "cannot be reached"),
        (["list", "--url", "ftp://x"], "bea", 2, "begins with http:// or https://"),
    ],
)
def test_each_failure_is_one_line(arguments: list[str], who: str, status: int, words: str, desk: Approvers) -> None:
    name = desk.made()
    done = desk.requests(*[name if argument == "NAME" else argument for argument in arguments], who=who)
    assert done.exit_code == status, done.output
    assert words in done.output
    assert "Traceback" not in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("Error")]) == 1


def test_deciding_twice(desk: Approvers) -> None:
    name = desk.made()
    desk.requests("approve", name)
    again = desk.requests("deny", name, "--comment", "no")
    assert (again.exit_code, again.output) == (1, f"Error: the request {name} was approved by bea\n")


def test_an_unknown_token_and_no_url(desk: Approvers) -> None:
    (desk.directory / "bea").write_text("other")
    assert "does not know this viewer token" in desk.requests().output
    nowhere = CliRunner().invoke(command, [], env={"PENSTOCK_COLLECTOR_URL": ""})
    assert (nowhere.exit_code, "give the collector's URL" in nowhere.output) == (2, True)
