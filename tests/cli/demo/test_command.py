"""`penstock demo` as a process: what it says, how it ends, and that demos don't harm each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.cli.demo.processes import Demo, demo, running_in, wait

from penstock_cli.demo.page import Page
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_cli.demo.scenes import AGAIN, APPROVED, ENFORCED, HELD, OBSERVED, OPENING, REST

EMAILS = ("-Atc", "SELECT email FROM customers ORDER BY id LIMIT 1")


@pytest.fixture
def temporary(open_directory: Path) -> Path:
    """A temporary directory of the test's own."""
    directory = Path(tempfile.mkdtemp(dir=open_directory))
    directory.chmod(0o1777)
    return directory


def left_nothing(temporary: Path) -> bool:
    return list(temporary.iterdir()) == [] and wait(lambda: running_in(temporary) == [])


def test_two_at_once_run_beside_each_other_and_end_clean(temporary: Path) -> None:
    with demo(temporary) as first, demo(temporary) as second:
        assert first.plays(), first.text
        assert second.plays(), second.text
        for one in (first, second):
            assert one.psql(*EMAILS) == "a***@example.com\n"
            assert one.psql("dana", *EMAILS) == "ada@example.com\n"
        with demo(temporary, "--once") as third:
            assert third.process.wait(60) == 0
        for one in (first, second):
            said = f"Beside this one, a demo runs in {one.folder} (to end it: Ctrl-C there, or kill {one.process.pid})."
            assert said in third.text.splitlines()
        assert first.end(signal.SIGINT) == 0
        assert not first.folder.exists()
        assert second.psql(*EMAILS) == "a***@example.com\n"
        assert second.end(signal.SIGTERM) == 0
    assert left_nothing(temporary)


def test_what_one_needs_next_comes_last_and_fits_80_columns(temporary: Path) -> None:
    with demo(temporary) as one:
        assert one.plays(), one.text
        *said, mcp, psql, page, token, end = one.text.splitlines()
        assert json.loads(mcp.removeprefix("mcp    ")) == {"command": "sh", "args": [f"{one.folder}/mcp"]}
        assert (psql, end) == (f"psql   sh {one.folder}/psql", f"end    Ctrl-C, or kill {one.process.pid}")
        assert re.fullmatch(r"page   http://127\.0\.0\.1:\d+/requests", page)
        assert re.fullmatch(r"token  \S{32} \(of olga, for the page\)", token)
        assert one.end(signal.SIGINT) == 0
    in_one_line = "$1: the agent's policy keeps SQL normalized, the officer's in full (sqlText)."
    assert in_one_line in said
    # As where TMPDIR is not set; a longer path would make its lines longer.
    usual = one.text.replace(str(one.folder.parent), "/tmp")
    assert [line for line in usual.splitlines() if len(line) > 80] == []
    whole = " ".join(one.text.split())
    scenes = (*OPENING, HELD, APPROVED, *REST, OBSERVED, ENFORCED, AGAIN)
    assert [scene.sql for scene in scenes if " ".join(scene.sql.split()) not in whole] == []
    assert "…" not in whole


def test_a_held_delete_is_told_with_its_approval_and_its_event(temporary: Path) -> None:
    with demo(temporary, "--once") as one:
        assert one.process.wait(60) == 0, one.text
    said = [line.strip("│ ") for line in one.text.splitlines()]
    first, second = re.findall(r"Request (r-[0-9a-z-]+)\. It is good until", one.text)
    assert first != second
    assert [line for line in said if line.startswith(("requester", "chain", "approver", "request ", "outcome"))] == [
        "requester  agent:support-bot for person:pat",
        "chain      agent support-bot (support), for person pat (support)",
        next(line for line in said if re.fullmatch(r"approver   olga, 20\d\d-\d\d-\d\dT\S+Z", line)),
        f"request    {first}, by support, approvals[deletes]",
        "outcome    ok, 1 row",
    ]


def test_the_trail_tells_of_a_switched_policy_a_refused_login_and_a_gap(temporary: Path) -> None:
    with demo(temporary, "--once") as one:
        assert one.process.wait(60) == 0, one.text
    whole = " ".join(line.strip("│ ") for line in one.text.splitlines())
    for told in (
        "policy support: mode was enforce, is observe: nothing of it is carried out any more",
        "policy support: mode was observe, is enforce: it is carried out",
        "allow, would be rewrite: SELECT c.name, c.email, p.card_number, p.amount",
        "the token has expired (28P01) claims to be support-bot for pat (https://login.demo.example)",
        "penstock audit verify gap.jsonl: status 3",
        "loss: events were lost: spool damaged",
        "INCOMPLETE: nothing is wrong with what is there, and some is missing that is declared",
    ):
        assert told in whole, told


async def test_the_line_for_agents_starts_a_server_that_acts_for_pat(temporary: Path) -> None:
    with demo(temporary) as one:
        assert await asyncio.to_thread(one.plays), one.text
        (line,) = re.findall(r"^mcp    (.*)$", one.text, re.MULTILINE)
        async with Client(stdio_client(StdioServerParameters(**json.loads(line)))) as client:
            told = await client.call_tool("query", {"sql": "SELECT email FROM customers ORDER BY id LIMIT 1"})
            assert told.structured_content is not None
            assert told.structured_content["rows"] == [["a***@example.com"]]
            held = await client.call_tool("execute", {"sql": "DELETE FROM orders WHERE customer_id = 4"})
            assert held.structured_content is not None
            assert held.structured_content["status"] == "held"
            name = held.structured_content["request"]["name"]
        with _signed_in(one) as (page, _):
            shown = await asyncio.to_thread(page.decide, name, "denied", "not this one")
        assert [name for name in ("agent:support-bot", "person:pat") if name not in shown] == []
        assert await asyncio.to_thread(one.end, signal.SIGINT) == 0
    assert await asyncio.to_thread(left_nothing, temporary)


def test_what_waits_runs_once_a_visitor_approves_it_on_the_page(temporary: Path) -> None:
    with demo(temporary) as one:
        assert one.plays(), one.text
        with _signed_in(one) as (page, request):
            assert "DELETE FROM orders WHERE customer_id = 5;" in page.decide(request, "approved")
        assert wait(lambda: "the agent ran it again: DELETE 1" in one.text), one.text
        assert len([line for line in one.text.splitlines() if "the agent ran it again" in line]) == 1
        assert one.psql("-Atc", "SELECT count(*) FROM orders WHERE customer_id = 5") == "0\n"
        assert one.end(signal.SIGINT) == 0
    assert left_nothing(temporary)


def test_what_waits_is_not_run_if_a_visitor_denies_it(temporary: Path) -> None:
    with demo(temporary) as one:
        assert one.plays(), one.text
        with _signed_in(one) as (page, request):
            page.decide(request, "denied", "ask the customer first")
        assert wait(lambda: "the agent ran it again" in one.text), one.text
        assert re.search(r"^r-\S+ denied; the agent ran it again: ERROR: .* denied", one.text, re.MULTILINE), one.text
        assert one.psql("-Atc", "SELECT count(*) FROM orders WHERE customer_id = 5") == "1\n"
        assert one.end(signal.SIGTERM) == 0


@contextlib.contextmanager
def _signed_in(one: Demo) -> Iterator[tuple[Page, str]]:
    """The page as whom the demo says may approve, and the request that waits there."""
    (address,) = re.findall(r"^page   (http://\S+)/requests$", one.text, re.MULTILINE)
    (token,) = re.findall(r"^token  (\S+) ", one.text, re.MULTILINE)
    (request,) = re.findall(r"DELETE waits \((r-\S+)\)", one.text)
    with Page(address) as page:
        page.sign_in(token)
        yield page, request


@pytest.mark.parametrize("moment", ["postgres/data.unfinished", "gate.log"])
def test_a_start_that_was_killed_leaves_nothing_after_the_next(temporary: Path, moment: str) -> None:
    with demo(temporary) as killed:
        assert wait(lambda: list(temporary.glob(f"penstock-demo-*/{moment}")) != [])
        killed.process.kill()
        killed.process.wait()
    assert len(list(temporary.iterdir())) == 1
    assert wait(lambda: running_in(temporary) == [])
    with demo(temporary, "--once") as after:
        assert after.process.wait(60) == 0, after.text
    assert "a demo runs in" not in after.text
    assert left_nothing(temporary)


def test_interrupted_while_it_starts_it_ends_clean(temporary: Path) -> None:
    with demo(temporary) as one:
        assert wait(lambda: list(temporary.glob("penstock-demo-*/postgres")) != [])
        assert one.end(signal.SIGINT) == 130
    assert one.text == ""
    assert left_nothing(temporary)


def test_a_folder_that_is_not_a_demos_is_refused(temporary: Path) -> None:
    (temporary / "thesis.txt").touch()
    with demo(temporary, "--dir", temporary) as one:
        assert one.process.wait(60) == 1
    assert one.text == f"Error: {temporary} is not empty, and not from an earlier demo; name another with --dir\n"


def test_a_given_server_keeps_what_no_demo_made(temporary: Path, own_server: EmbeddedPostgres) -> None:
    def refused() -> str:
        return _once(temporary, own_server, 1).text.splitlines()[-1]

    elsewhere = ": name another server with --database-url"
    own_server.psql("CREATE DATABASE shop")
    assert refused() == f"Error: the server's database shop is not from an earlier demo{elsewhere}"
    own_server.psql("DROP DATABASE shop")
    own_server.psql("CREATE ROLE penstock_gate")
    assert refused() == f"Error: the server's role penstock_gate is not from an earlier demo{elsewhere}"
    own_server.psql("DROP ROLE penstock_gate")
    _once(temporary, own_server, 0)
    with demo(temporary, "--database-url", own_server.url()) as again:
        assert again.plays(), again.text
        assert _visible(own_server.password) == []
        assert refused() == f"Error: the server's database shop is in use, perhaps by a demo{elsewhere}"
        assert again.psql(*EMAILS) == "a***@example.com\n"
        assert again.end(signal.SIGHUP) == 0


def _visible(password: str) -> list[str]:
    """The programs on whose command line everyone sees the password, but for the demo to which it was given there."""
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running_in(password)]
    return [line.decode() for line in lines if b"--database-url" not in line]


def _once(temporary: Path, server: EmbeddedPostgres, status: int) -> Demo:
    with demo(temporary, "--once", "--database-url", server.url()) as one:
        assert one.process.wait(60) == status, one.text
    return one
