"""`penstock holds` against a real collector: setting one, what is listed, and lifting it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from tests.cli.conftest import Desk
from tests.collector.conftest import token_line

from penstock_cli.holds import command

PEOPLE = {"aud": "auditor", "vic": "viewer"}


class Counsel(Desk):
    """A collector with a stream, and people of several roles."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        text = "".join(token_line(f"{name}-token", f"{name} roles={role}") for name, role in PEOPLE.items())
        (directory / "viewers").write_text(text)
        for name in PEOPLE:
            (directory / name).write_text(f"{name}-token\n")
        self.record({"kind": "open", "database": "shop"})

    def holds(self, *arguments: str, who: str = "aud") -> Result:
        environment = {
            "PENSTOCK_COLLECTOR_URL": self.running.url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.directory / who),
        }
        return CliRunner().invoke(command, arguments, env=environment)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counsel]:
    monkeypatch.setattr("penstock_collector.auth.token_file._CHECK_EVERY_SECONDS", 0)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    desk = Counsel(tmp_path)
    yield desk
    desk.stop()
    structlog.reset_defaults()


def test_one_is_set_listed_and_lifted(desk: Counsel) -> None:
    assert desk.holds().output == "no hold stands\n"
    set_ = desk.holds(
        "set", "--database", "shop", "--since", "2026-11-25", "--until", "2026-11-26", "--reason", "case 17"
    )
    assert set_.exit_code == 0, set_.output
    covers = "database shop, from 2026-11-25T00:00:00.000000Z, to 2026-11-26T23:59:59.000000Z"
    assert re.fullmatch(rf"1  held  {covers}: case 17\n    set by aud \S+ \S+ UTC\n", set_.output)
    assert desk.holds().output == desk.holds("list").output == set_.output
    assert desk.holds("lift", "1").output == "hold 1 is lifted\n"
    assert desk.holds().output == "no hold stands\n"
    everything = desk.holds("--all").output
    assert re.fullmatch(
        rf"1  lifted  {covers}: case 17\n    set by aud \S+ \S+ UTC; lifted by aud \S+ \S+ UTC\n", everything
    )


def test_for_programs_all_are_told(desk: Counsel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_cli.collector_client._PAGE", 2)
    for number in range(5):
        done = desk.holds("set", "--stream", "gw1/boot1", "--reason", f"case {number}", "--json")
        assert json.loads(done.output)["reason"] == f"case {number}"
    desk.holds("lift", "5")
    assert [json.loads(line)["id"] for line in desk.holds("--json").output.splitlines()] == [4, 3, 2, 1]
    assert [json.loads(line)["id"] for line in desk.holds("--json", "--all").output.splitlines()] == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("arguments", "who", "status", "words"),
    [
        (["set", "--database", "shop"], "aud", 2, "--reason"),
        (["set", "--reason", "x"], "aud", 1, "a hold covers a stream, a database or a time"),
        (["set", "--database", "shpo", "--reason", "x"], "aud", 1, "no stream of such a database is known"),
        (["set", "--since", "yesterday", "--reason", "x"], "aud", 1, "since is a time such as"),
        (["set", "--database", "shop", "--reason", "x"], "vic", 1, "auditor"),
        (["list"], "vic", 1, "auditor"),
        (["lift", "7"], "aud", 1, "no such hold stands"),
        (["lift", "0"], "aud", 2, "0 is not in the range"),
        (["lift", "9007199254740993"], "aud", 2, "is not in the range"),
        (["list", "--url", "http://127.0.0.1:9"], "aud", 1, "cannot be reached"),
    ],
)
def test_each_failure_is_one_line(arguments: list[str], who: str, status: int, words: str, desk: Counsel) -> None:
    done = desk.holds(*arguments, who=who)
    assert done.exit_code == status, done.output
    assert words in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("Error")]) == 1
    assert "Traceback" not in done.output
