"""`penstock audit verify`: of files and of a real collector, for people and for programs, with what forgers try."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.cli.conftest import GATE, Desk

from penstock_collector.checkpoints.directory import DirectoryPlace
from penstock_collector.checkpoints.keeper import CheckpointKeeper
from penstock_core.audit.chain import Head, canonical
from penstock_core.audit.export import read


def test_export_and_verify(desk: Desk, tmp_path: Path) -> None:
    events = desk.record({"kind": "open"}) + desk.statement(1) + desk.record({"kind": "close"})
    assert desk.run("export", *GATE, "-o", str(tmp_path / "export.jsonl")).exit_code == 0
    lines = (tmp_path / "export.jsonl").read_bytes().splitlines()
    assert [one for line in lines if isinstance(one := read(line), dict)] == events
    for arguments, given in [
        ((str(tmp_path / "export.jsonl"),), None),
        (GATE, None),
        (("-",), desk.run("export", *GATE).output),
    ]:
        result = desk.run("verify", *arguments, input=given)
        assert (result.exit_code, result.output.splitlines()) == (
            0,
            ["STREAM     SENDER     EVENTS  SEQ  VERDICT", "gw1/boot1  token:gw1       4  1-4  intact", "intact"],
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
    assert result.stdout.splitlines()[1:3] == [
        "gw1/boot1  token:gw1       5  1-5  1 fault",
        "  altered: event 4 was altered after it was sealed",
    ]
    assert result.stderr == "NOT INTACT: 1 fault\n"
    rows = export.splitlines(keepends=True)
    path.write_text("".join(rows[:2] + rows[3:]) + "half a li")
    result = desk.run("verify", str(path))
    assert (result.exit_code, "gap: seq 2 missing" in result.output, "malformed" in result.output) == (1, True, True)
    path.write_text("".join(rows[3:-1]))
    assert desk.run("verify", str(path)).exit_code == 1
    assert desk.run("verify", "--partial", str(path)).exit_code == 0


def test_verify_against_heads_that_were_kept(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    heads = tmp_path / "heads.json"
    assert desk.run("heads", "-o", str(heads)).exit_code == 0
    path = tmp_path / "export.jsonl"
    path.write_text(desk.run("export").output)
    assert desk.run("verify", "--heads", str(heads), str(path)).exit_code == 0
    # Without what the collector says of it, the end can go, and nobody sees.
    path.write_text("".join(desk.run("export", *GATE).output.splitlines(keepends=True)[1:-2]))
    assert desk.run("verify", str(path)).exit_code == 0
    cut = desk.run("verify", "--heads", str(heads), str(path))
    assert (cut.exit_code, "cut tail: ends at seq 2, yet 3 was reached" in cut.output) == (1, True)
    for nonsense in ("[]", '{"streams": []}', '{"streams": [], "total": true}'):
        heads.write_text(nonsense)
        refused = desk.run("verify", "--heads", str(heads), str(path))
        assert (refused.exit_code, "is not an answer of /v1/streams" in refused.output) == (2, True)


def test_heads_are_those_of_all_streams_and_a_page_of_them_verifies_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_collector.web.api.MOST_STREAMS", 2)
    for boot in ("boot4", "boot2", "boot1", "boot5", "boot3"):
        desk.head = Head(f"gw1/{boot}")
        desk.record({"kind": "open"}, {"kind": "heartbeat"})
    saved = json.loads(desk.run("heads").output)
    assert [one["name"] for one in saved["streams"]] == [f"gw1/boot{number}" for number in range(1, 6)]
    assert (saved["total"], saved["next"], saved["readings"]["name"][:10]) == (5, None, "collector:")
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps(saved))
    lines = desk.run("export").output.splitlines(keepends=True)
    whole = desk.run("verify", "-", "--heads", str(heads), input="".join(lines))
    assert whole.exit_code == 0, whole.output
    for number in range(1, 6):
        # As somebody would leave it out who wants it gone.
        less = "".join(line for line in lines if f"gw1/boot{number}" not in line and '"end"' not in line)
        found = desk.run("verify", "-", "--heads", str(heads), input=less)
        assert (found.exit_code, f"gw1/boot{number}" in found.output) == (1, True), found.output
    for page in ("", "?after=", "?after=gw1/boot4"):
        headers = {"authorization": "Bearer reader"}
        heads.write_text(httpx2.get(f"{desk.running.url}/v1/streams{page}", headers=headers, trust_env=False).text)
        refused = desk.run("verify", "-", "--heads", str(heads), input="".join(lines))
        assert refused.exit_code == 2
        assert "of 5 streams, one page of them; `penstock audit heads` saves them all" in refused.output
    twice = {**saved, "streams": [saved["streams"][0]] * 5}
    heads.write_text(json.dumps(twice))
    assert desk.run("verify", "-", "--heads", str(heads), input="".join(lines)).exit_code == 2


def test_verify_of_nothing_is_no_success(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    result = desk.run("verify", str(tmp_path / "empty"))
    assert (result.exit_code, "no audit events there" in result.output) == (2, True)
    (tmp_path / "picture").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff\n")
    assert desk.run("verify", str(tmp_path / "picture")).exit_code == 1


def test_an_export_keeps_lines_whole_whatever_separators_stand_in_them(desk: Desk) -> None:
    desk.record({"kind": "open"})
    desk.statement(1, sql="SELECT '\u2028 \u0085 \u2029 \x0b \x1c'")
    result = desk.run("verify")
    assert result.exit_code == 0, result.output
    assert len(desk.run("export", *GATE).output.split("\n")) == 6


def test_the_readings_are_exported_and_verified_with_the_rest(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.run("search", "cards")
    exported = desk.run("export").output
    own = [json.loads(line) for line in exported.splitlines() if '"stream":"collector:' in line and '"v":' in line]
    assert [one.get("action", one["kind"]) for one in own] == ["open", "searched", "exported"]
    heads = tmp_path / "heads.json"
    assert desk.run("heads", "-o", str(heads)).exit_code == 0
    exported = desk.run("export").output
    verified = desk.run("verify", "-", "--heads", str(heads), input=exported)
    assert (verified.exit_code, verified.output.count("intact")) == (0, 3), verified.output
    forged = desk.run("verify", "-", input=exported.replace("cards", "cords"))
    assert forged.exit_code == 1
    assert "was altered after it was sealed" in forged.output
    less = "".join(line + "\n" for line in exported.splitlines() if '"searched"' not in line)
    assert "seq 2 missing" in desk.run("verify", "-", input=less).output
    cut = "".join(line + "\n" for line in exported.splitlines() if '"action"' not in line)
    assert "cut tail: ends at seq 1, yet" in desk.run("verify", "-", "--heads", str(heads), input=cut).output


def test_the_report_for_programs(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"}, {"kind": "loss", "count": 3, "cause": "disk \x9b2J"}, {"kind": "close"})
    result = desk.run("verify", "--json", *GATE)
    assert result.exit_code == 3
    assert result.output.rstrip("\n").isprintable()
    report = json.loads(result.output)
    assert (report["verdict"], report["faults"]) == ("incomplete", 0)
    (stream,) = report["streams"]
    assert (stream["stream"], stream["sender"], stream["closed"]) == ("gw1/boot1", "token:gw1", True)
    (finding,) = stream["findings"]
    assert (finding["fault"], finding["declared"], finding["seq"]) == ("loss", True, 2)
    people = desk.run("verify", *GATE)
    assert (people.exit_code, "loss: 3 statements ran unrecorded: disk 2J" in people.stdout) == (3, True)
    assert people.stderr.startswith("INCOMPLETE")


def test_both_ways_to_read_see_the_same_bytes(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.statement(1, sql="SELECT '\x85 \u2028'")
    path = tmp_path / "export.jsonl"
    path.write_bytes(desk.run("export", *GATE).stdout_bytes)
    assert desk.run("verify", str(path)).output == desk.run("verify", *GATE).output
    # What splits lines elsewhere makes no second line here.
    event = path.read_bytes().split(b"\n")[1]
    for separator in (b"\r", b"\r\n", b"\x0b", "\u2028".encode()):
        path.write_bytes(event + separator + event + b"\n")
        assert desk.run("verify", str(path)).exit_code == 1


def test_two_equal_keys_are_no_event(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    desk.statement(1)
    path = tmp_path / "export.jsonl"
    path.write_bytes(
        desk.run("export", *GATE).stdout_bytes.replace(b'{"database"', b'{"sql":"DROP TABLE t","database"')
    )
    result = desk.run("verify", str(path))
    assert (result.exit_code, "not the canonical ones (RFC 8785)" in result.output) == (1, True)


def test_a_name_from_an_export_is_no_place_for_other_peoples_lines(desk: Desk, tmp_path: Path) -> None:
    event, _ = Head("a\nb  9  1-9  intact\x1b[2J\u202e").seal({"kind": "open"}, "2026-11-25T09:00:00Z")
    (tmp_path / "export.jsonl").write_bytes(canonical(event) + b"\n")
    output = desk.run("verify", str(tmp_path / "export.jsonl")).output
    assert len(output.splitlines()) == 4
    assert all(line.isprintable() for line in output.splitlines())


@pytest.mark.parametrize(
    "heads",
    [
        "[" * 100_000,
        '{"streams": 7}',
        '{"streams": [{"name": [], "seq": 1, "hash": "%s"}]}' % ("ab" * 32),
        '{"streams": [{"name": "a/1", "seq": "1", "hash": "%s"}]}' % ("ab" * 32),
        '{"streams": [{"name": "a/1", "seq": 1e400, "hash": "%s"}]}' % ("ab" * 32),
        '{"streams": [{"name": "a/1", "seq": 1, "hash": {}}]}',
        '{"streams": [], "readings": 3}',
        "\ud800",
    ],
)
def test_heads_that_are_none(heads: str, desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "heads.json").write_bytes(heads.encode(errors="surrogatepass"))
    (tmp_path / "export.jsonl").write_bytes(b"{}\n")
    result = desk.run("verify", "--heads", str(tmp_path / "heads.json"), str(tmp_path / "export.jsonl"))
    assert (result.exit_code, "is not an answer of /v1/streams" in result.output) == (2, True), result.output


def test_one_stream_of_a_file(desk: Desk, tmp_path: Path) -> None:
    desk.record({"kind": "open"})
    (tmp_path / "export.jsonl").write_bytes(desk.run("export").stdout_bytes)
    assert "collector:" not in desk.run("verify", "--stream", "gw1/boot1", str(tmp_path / "export.jsonl")).output
    nothing = desk.run("verify", "--stream", "gw2/boot1", str(tmp_path / "export.jsonl"))
    assert (nothing.exit_code, "no audit events of gw2/boot1 there" in nothing.output) == (2, True)


EVIL = "\x1b[2J\x9b31m\u202e\nError: all is well"


class Hostile(BaseHTTPRequestHandler):
    """A collector that answers everything with what a terminal would obey."""

    answers = iter(())  # type: ignore[var-annotated]

    def do_GET(self) -> None:
        status, body = next(self.answers)
        self.send_response(status, "\x9b31m")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def hostile() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, json.dumps({"error": EVIL}).encode()),
        (503, json.dumps({"error": {"x": [EVIL]}}).encode()),
        (404, EVIL.encode()),
        (200, canonical({"export": "problem", "error": EVIL}) + b"\n"),
        (200, canonical({"export": "stream", "stream": EVIL, "sender": EVIL, "seq": 0, "hash": None, "trimmed": 0})),
    ],
)
@pytest.mark.parametrize("arguments", [("verify",), ("verify", "--json"), ("search",), ("export", "-o", "/dev/null")])
def test_a_hostile_collector_commands_no_terminal(
    arguments: tuple[str, ...], status: int, body: bytes, hostile: HTTPServer, desk: Desk
) -> None:
    Hostile.answers = iter([(status, body)])
    result = desk.run(*arguments, url=f"http://127.0.0.1:{hostile.server_port}")
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert all(line.isprintable() and not line.startswith("Error: all") for line in result.output.splitlines())


@pytest.fixture
def signed(desk: Desk, tmp_path: Path) -> Path:
    """A directory with the checkpoints of the desk's collector, after three events, and the public key beside it."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pub").write_bytes(public)
    desk.record({"kind": "open"})
    desk.statement(1)
    collector = desk.running.collector
    place = DirectoryPlace(tmp_path / "checkpoints")
    keeper = CheckpointKeeper(collector.writer, key, place, 3600, collector.metrics)
    asyncio.run_coroutine_threadsafe(keeper.step(1_764_000_000), desk.loop).result(10)
    return tmp_path / "checkpoints"


def test_checkpoints_give_away_what_was_cut_off(desk: Desk, signed: Path, tmp_path: Path) -> None:
    path, key = tmp_path / "export.jsonl", ("--key", str(tmp_path / "key.pub"))
    path.write_bytes(desk.run("export").stdout_bytes)
    good = desk.run("verify", "--checkpoints", str(signed), *key, str(path))
    assert good.exit_code == 0, good.output
    assert "held against the checkpoints 1 to 1 of collector:" in good.output
    assert desk.run("verify", "--checkpoints", str(signed), *key).exit_code == 0
    # Without what the collector says of itself, the export alone looks whole.
    events = [line for line in path.read_bytes().split(b"\n") if b'"v":' in line and b"gw1/boot1" in line]
    path.write_bytes(b"".join(line + b"\n" for line in events[:-1]))
    assert desk.run("verify", str(path)).exit_code == 0
    cut = desk.run("verify", "--checkpoints", str(signed), *key, "--stream", "gw1/boot1", str(path))
    assert (cut.exit_code, "cut tail: ends at seq 2, yet 3 was reached, as checkpoint 1 has it" in cut.output) == (
        1,
        True,
    )


def test_checkpoints_that_somebody_has_been_at(desk: Desk, signed: Path, tmp_path: Path) -> None:
    (file,) = signed.rglob("*.json")
    content = file.read_bytes()
    arguments = ("verify", "--checkpoints", str(signed), "--key", str(tmp_path / "key.pub"))
    file.write_bytes(content.replace(b'"seq":3', b'"seq":2'))
    altered = desk.run(*arguments)
    assert altered.exit_code == 1
    assert "its signature is not that of its content: it was altered, or made up" in altered.output
    file.unlink()
    nothing = desk.run(*arguments)
    assert (nothing.exit_code, "no checkpoints in" in nothing.output) == (2, True)


def test_checkpoints_and_keys_that_cannot_be_used(desk: Desk, signed: Path, tmp_path: Path) -> None:
    for arguments, complaint in [
        (("--checkpoints", str(signed)), "--checkpoints and --key come together"),
        (("--key", str(tmp_path / "key.pub")), "--checkpoints and --key come together"),
        (("--checkpoints", str(signed), "--key", __file__), "is no public key in PEM"),
        (("--checkpoints", str(signed), "--key", str(tmp_path / "none")), "cannot be read: No such file"),
    ]:
        result = desk.run("verify", *arguments)
        assert (result.exit_code, complaint in result.output) == (2, True), result.output
