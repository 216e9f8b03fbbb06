"""Starting and stopping: what is wrong with the settings is one clear line; a stop loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from penstock_cli.demo.loopback import free_port
from penstock_collector.main import StartError, serve
from penstock_collector.settings import CollectorSettings
from penstock_collector.store import export
from penstock_collector.store.database import SCHEMA_VERSION
from penstock_core.audit.chain import canonical
from penstock_core.audit.verify import verify

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.executescript(f"PRAGMA application_id = {0x506E4175}; PRAGMA user_version = 99; CREATE TABLE t (x)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda path: path.write_bytes(b"garbage " * 1000), "cannot be used: file is not a database"),
        (lambda path: path.mkdir(), "cannot be made: Is a directory"),
        (foreign, "is an SQLite database of something else, not an audit trail"),
        (newer, f"has schema version 99; this program knows {SCHEMA_VERSION}"),
    ],
)
async def test_a_database_that_cannot_be_used(spoil: Any, complaint: str, settings: CollectorSettings) -> None:
    spoil(settings.database)
    with pytest.raises(StartError) as error:
        await serve(settings)
    assert complaint in str(error.value)
    assert str(settings.database) in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_place_where_no_database_can_be(settings: CollectorSettings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match="cannot be opened: File exists"):
        await serve(settings.model_copy(update={"database": tmp_path / "file" / "audit.db"}))


async def test_one_collector_at_a_time(client: Any, settings: CollectorSettings) -> None:
    with pytest.raises(StartError, match="is in use by another collector"):
        await serve(settings)


async def test_a_port_that_is_taken(settings: CollectorSettings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(StartError, match=f"cannot listen on {listen}: Address already in use"):
            await serve(settings.model_copy(update={"listen": listen}))


async def test_kubernetes_outside_a_pod(settings: CollectorSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(StartError, match="not in a Kubernetes pod"):
        await serve(settings.model_copy(update={"kubernetes": True}))


async def test_tls_files_that_cannot_be_used(settings: CollectorSettings, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no certificate")
    for file in (tmp_path / "x", tmp_path / "none"):
        with pytest.raises(StartError, match="TLS files cannot be used"):
            await serve(settings.model_copy(update={"tls_cert_file": file, "tls_key_file": file}))


async def test_tls_with_a_certificate_that_is_renewed(
    start: Any, settings: CollectorSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_entrance.certificate_files._LOOK_SECONDS", 0.05)
    authority = trustme.CA()
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"

    def issue() -> None:
        issued = authority.issue_cert("127.0.0.1")
        cert.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())

    def serial() -> Any:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as tls,
        ):
            peer = tls.getpeercert()
            return peer["serialNumber"] if peer else None

    issue()
    client = await start(settings.model_copy(update={"tls_cert_file": cert, "tls_key_file": key}))
    assert client.running.url.startswith("https://")
    port = int(client.running.url.rpartition(":")[2])
    first = await asyncio.to_thread(serial)
    login = await client.http.post("/login", content=b"token=read-ada")
    cookie = login.headers["set-cookie"]
    assert cookie.startswith("__Host-penstock=")
    assert "Secure" in cookie
    issue()
    for _ in range(600):
        await asyncio.sleep(0.05)
        if await asyncio.to_thread(serial) != first:
            return
    raise AssertionError("the renewed certificate is not used")


async def test_what_was_acknowledged_is_there_after_a_restart(
    start: Any, settings: CollectorSettings, sender: Any
) -> None:
    first = await start(settings)
    await first.send(sender.seal(OPEN) + sender.statement(1))
    await first.ended()
    second = await start(settings)
    assert await second.send([]) == 3
    assert await second.send(sender.statement(2)) == 5
    assert [found["statement"] for found in await second.search()] == ["2", "1"]


async def test_a_silent_stream_raises_an_alarm_until_it_is_heard_of(
    start: Any, settings: CollectorSettings, sender: Any
) -> None:
    client = await start(settings.model_copy(update={"heartbeat_seconds": 0.1}))
    await client.send(sender.seal(OPEN))
    for _ in range(600):
        await asyncio.sleep(0.05)
        if alarms := await client.alarms():
            break
    assert alarms["silent"]["detail"] == "nothing heard for more than 0.3 s"
    assert "silent" in (await client.get("/streams")).text
    await client.send(sender.seal({"kind": "heartbeat"}))
    assert "silent" not in await client.alarms()
    await client.send(sender.seal({"kind": "close"}))
    await asyncio.sleep(0.5)
    assert await client.alarms() == {}


async def test_the_record_is_readable_by_the_program_alone(
    client: Any, sender: Any, settings: CollectorSettings
) -> None:
    await client.send(sender.seal(OPEN))
    files = list(settings.database.parent.glob(settings.database.name + "*"))
    assert len(files) >= 3
    assert {file.stat().st_mode & 0o077 for file in files} == {0}


async def test_whoever_asks_for_readiness_again_and_again_does_not_hold_up_the_record(client: Any, sender: Any) -> None:
    asked = [client.get("/readyz", token=None) for _ in range(300)]
    *answers, acknowledged = await asyncio.gather(*asked, client.send(sender.seal(OPEN)))
    assert {answer.status_code for answer in answers} == {200}
    assert acknowledged == 1


async def test_a_record_that_is_taken_away_is_noticed(client: Any, sender: Any, settings: CollectorSettings) -> None:
    await client.send(sender.seal(OPEN))
    away = settings.database.rename(settings.database.with_name("away.db"))
    events = sender.statement(1)
    refused = await client.post(events)
    assert refused.status_code == 503
    assert "was removed or replaced" in refused.json()["error"]
    assert (await client.get("/readyz")).status_code == 503
    away.rename(settings.database)
    assert await client.send(events) == 3


async def test_a_full_disk_is_told_to_the_sender(client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    writer = client.running.collector.writer
    pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
    writer._connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    events = [event for number in range(200) for event in sender.statement(number, sql="x" * 200)]
    refused = await client.post(events)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json() == {"error": "the audit database cannot grow: the disk is full"}
    writer._connection.execute("PRAGMA max_page_count = 1000000")
    assert await client.send(events) == 401


def test_a_process_that_gets_sigterm_ends_well(settings: CollectorSettings) -> None:
    environment = {
        **os.environ,
        "PENSTOCK_COLLECTOR_LISTEN": "127.0.0.1:0",
        "PENSTOCK_COLLECTOR_DATABASE": str(settings.database),
        "PENSTOCK_COLLECTOR_STREAM_TOKENS_FILE": str(settings.stream_tokens_file),
        "PENSTOCK_COLLECTOR_VIEWER_TOKENS_FILE": str(settings.viewer_tokens_file),
    }
    command = [sys.executable, "-m", "penstock_cli.main"]
    code = "import sys; from penstock_cli.main import main; sys.argv = ['penstock', 'collector']; main()"
    process = subprocess.Popen([command[0], "-c", code], stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    for line in process.stderr:
        said = json.loads(line)
        if said["event"] == "collector takes in events":
            break
    with httpx2.stream(
        "GET", said["url"] + "/tail", headers={"authorization": "Bearer read-ada"}, trust_env=False
    ) as tail:
        assert tail.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


def test_kill_9_loses_nothing_that_was_acknowledged(settings: CollectorSettings, sender: Any) -> None:
    code = "import sys; from penstock_cli.main import main; sys.argv = ['penstock', 'collector']; main()"
    names = ("stream_tokens_file", "viewer_tokens_file", "database")
    environment = {
        **os.environ,
        **{f"PENSTOCK_COLLECTOR_{name.upper()}": str(getattr(settings, name)) for name in names},
    }
    environment["PENSTOCK_COLLECTOR_LISTEN"] = "127.0.0.1:0"
    events = sender.seal(OPEN) + [event for number in range(400) for event in sender.statement(number)]
    sent = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=environment)
        assert process.stderr is not None
        url = next(
            said["url"] for said in map(json.loads, process.stderr) if said["event"] == "collector takes in events"
        )
        killer = threading.Timer(0.3, process.kill)
        killer.start()
        with contextlib.suppress(httpx2.HTTPError), httpx2.Client(trust_env=False) as http:
            while True:
                body = b"".join(canonical(event) + b"\n" for event in events[sent : sent + 3])
                headers = {"authorization": "Bearer write-gw1"}
                answer = http.post(url + "/v1/streams/gw1/boot1/events", content=body, headers=headers)
                assert answer.json()["acknowledged"] >= sent
                sent = answer.json()["acknowledged"]
        process.wait()
        process.stderr.close()
        killer.join()
    connection = sqlite3.connect(settings.database)
    portion = export.portion(connection, "gw1/boot1", export.BEGINNING, 2000)
    stored = [json.loads(line) for place, line in portion if place[1]]
    connection.close()
    assert sent > 20
    assert stored[:sent] == events[:sent]
    assert verify(stored).intact


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--listen", "nowhere"], "Error: listen: Value error, must be HOST:PORT, such as 0.0.0.0:8080"),
        (["--retention-days", "-1"], "Error: retention_days: Input should be greater than or equal to 0"),
        (
            ["--retention-size", "8GB"],
            "Error: retention_size: Value error, must be a number of bytes such as 500M or 8Gi",
        ),
        (
            ["--tls-key-file", "x"],
            "Error: settings: Value error, tls_cert_file and tls_key_file come together or not at all",
        ),
        (["--stream-tokens-file", "/none"], "Error: token file /none cannot be read: No such file or directory"),
    ],
)
def test_wrong_flags_are_one_clear_line(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from penstock_cli.collector import command

    result = CliRunner().invoke(command, ["--database", str(tmp_path / "a.db"), *arguments])
    assert (result.exit_code, result.output) == (1, complaint + "\n")


async def test_probes_have_a_listener_of_their_own(start: Any, settings: CollectorSettings) -> None:
    port = free_port()
    client = await start(settings.model_copy(update={"health_listen": f"127.0.0.1:{port}"}))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        for path in ("/healthz", "/readyz", "/metrics"):
            assert (await http.get(path)).status_code == 200
        for path in ("/", "/login", "/v1/events", "/tail", "/healthz/"):
            assert (await http.get(path, headers={"authorization": "Bearer read-ada"})).status_code == 404
        # However many crowd the other door.
        address = str(client.http.base_url).removeprefix("http://").rstrip("/").split(":")
        held = [await asyncio.open_connection(address[0], int(address[1])) for _ in range(100)]
        assert (await http.get("/healthz", timeout=2)).text == "ok\n"
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize(
    ("trusted", "forwarded", "seen"),
    [
        ([], "203.0.113.9", "127.0.0.1"),
        (["127.0.0.0/8"], "203.0.113.9", "203.0.113.9"),
        # Whatever a client says before a proxy adds what it sees.
        (["127.0.0.1"], "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["10.0.0.0/8"], "203.0.113.9", "127.0.0.1"),
    ],
)
async def test_behind_proxies_that_are_trusted_a_person_has_an_address_of_his_own(
    trusted: list[str], forwarded: str, seen: str, start: Any, settings: CollectorSettings
) -> None:
    client = await start(settings.model_copy(update={"trusted_proxies": trusted}))
    headers = {"authorization": "Bearer read-ada", "x-forwarded-for": forwarded}
    await client.http.get("/v1/events", headers=headers)
    (reading,) = (await client.http.get("/v1/readings?action=searched", headers=headers)).json()["readings"]
    assert reading["client"]["addr"] == seen
