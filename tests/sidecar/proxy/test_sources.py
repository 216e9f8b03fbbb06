"""Policies from files and from a stream of `control`: bad ones are told of once, the last good one stays."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs
from tests.sidecar.proxy.conftest import write_resources

from penstock_core.resources import Bundle, ResourceError
from penstock_sidecar.proxy import sources
from penstock_sidecar.proxy.sources import BundleKey, ControlSource, FileSource

LOST = """
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: lost, namespace: shop}
spec:
  databaseRef: {name: shop}
  subjects: [{serviceAccount: {name: web}}]
  masks: [{tags: [pii.emial], with: {redact: {}}}]
"""
WANTED = BundleKey("shop", "shop", bytes(32))


def bundle(generation: int, host: str = "h", policies: tuple[str, ...] = ()) -> Bundle:
    return Bundle.model_validate({
        "generation": generation, "maskKey": base64.b64encode(bytes(32)).decode(),
        "policies": tuple(
            {"metadata": {"name": name, "namespace": "shop"}, "spec": {
                "databaseRef": {"name": "shop"}, "subjects": ({"serviceAccount": {"name": "web"}},)}}
            for name in policies
        ),
        "database": {"metadata": {"name": "shop", "namespace": "shop"}, "spec": {
            "host": host, "dbname": "shop", "credentialsSecretRef": {"name": "s"}}},
    })  # fmt: skip


async def until(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


def test_files_that_change_are_delivered_and_bad_ones_are_not(tmp_path: Path) -> None:
    got: list[Bundle] = []
    source = FileSource(["*.yaml"], tmp_path, WANTED, got.append)
    with pytest.raises(ResourceError):
        source.start()
    write_resources(tmp_path, "h", 5432)
    source.start()
    assert [policy.name for policy in got[0].policies] == ["web"]
    source.poll()
    assert len(got) == 1
    (tmp_path / "shop.yaml").write_text("kind: Oops")
    source.poll()
    assert len(got) == 1
    assert "shop.yaml" in source.trouble
    assert "\n" not in source.trouble
    write_resources(tmp_path, "elsewhere", 5432)
    source.poll()
    assert got[1].database.spec.host == "elsewhere"
    assert got[1].generation > got[0].generation
    assert not source.trouble
    assert source.age < 5
    (tmp_path / "shop.yaml").unlink()
    source.poll()
    assert "Database shop/shop" in source.trouble


def test_what_does_not_fit_together_is_told_of_and_bytes_that_are_no_text_change_nothing(tmp_path: Path) -> None:
    got: list[Bundle] = []
    source = FileSource(["*.yaml"], tmp_path, WANTED, got.append)
    write_resources(tmp_path, "h", 5432)
    (tmp_path / "lost.yaml").write_text(LOST)
    with capture_logs() as logged:
        source.start()
    (told,) = (line["event"] for line in logged)
    assert told.startswith("DatabaseAccessPolicy shop/lost: spec.masks[0]")
    assert "pii.emial" in told
    # Where several read the same files, one of them says so.
    with capture_logs() as logged:
        FileSource(["*.yaml"], tmp_path, WANTED, lambda _: None, tells=False).start()
    assert not logged
    (tmp_path / "lost.yaml").write_bytes(b"\xff\xfe")
    source.poll()
    assert source.trouble == "lost.yaml:1: is not UTF-8 text"
    assert len(got) == 1


def test_patterns_may_stand_anywhere_in_a_path(tmp_path: Path) -> None:
    for name in ("a.d", "b.d", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text("")
    source = FileSource(["*.d/*.yaml", f"{tmp_path}/?/x.yaml", "plain.yaml"], tmp_path, WANTED, lambda _: None)
    found = [str(path.relative_to(tmp_path)) for path in source.files()]
    assert found == ["a.d/x.yaml", "b.d/x.yaml", "c/x.yaml", "plain.yaml"]


class Control:
    """Speaks HTTP over TLS as `control` does, one connection after the other."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.status = "200 OK"
        # Of answers that are no stream.
        self.body = b""
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {self.status}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            while self.status.startswith("200"):
                line = await self.lines.get()
                if line is None:
                    break
                # Cut in two, to be put together again.
                for part in (line[:7], line[7:] + b"\n"):
                    if part:
                        writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                        await writer.drain()
            if not self.status.startswith("200") and self.body:
                writer.write(f"{len(self.body):x}\r\n".encode() + self.body + b"\r\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Control]:
    monkeypatch.setattr(sources, "_FIRST_DELAY", 0.02)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    (tmp_path / "token").write_text("first\n")
    one = Control()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context)
    one.url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
    yield one
    one.lines.put_nowait(None)
    server.close()


async def test_a_stream_of_bundles(control: Control, tmp_path: Path) -> None:
    got: list[Bundle] = []
    source = ControlSource(control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", got.append)
    assert source.age == float("inf")
    running = asyncio.create_task(source.run())
    try:
        control.lines.put_nowait(bundle(5).model_dump_json().encode())
        await until(lambda: got)
        assert control.requests[0].startswith("GET /v1/policies/shop/shop ")
        assert "Bearer first" in control.requests[0]
        # A heartbeat, the same again, nonsense, and a new one.
        for line in (
            b"",
            bundle(5).model_dump_json().encode(),
            b'{"generation": "x"}',
            bundle(6).model_dump_json().encode(),
            # The same number for something else, as two replicas may give it for a moment.
            bundle(6, host="elsewhere").model_dump_json().encode(),
        ):
            control.lines.put_nowait(line)
        await until(lambda: len(got) == 3)
        assert [(one.generation, one.database.spec.host) for one in got] == [(5, "h"), (6, "h"), (6, "elsewhere")]
        # The stream ends; the next one is asked for with the token as it is then.
        (tmp_path / "token").write_text("second\n")
        control.lines.put_nowait(None)
        await until(lambda: len(control.requests) == 2)
        assert "Bearer second" in control.requests[1]
        assert "the stream ended" in source.trouble
        control.lines.put_nowait(bundle(7).model_dump_json().encode())
        await until(lambda: len(got) == 4)
        assert not source.trouble
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_sign_of_life_does_not_make_up_for_a_policy_that_can_not_be_used(
    control: Control, tmp_path: Path
) -> None:
    """A newer control may send what this program does not know: it is the old policy that is in force, and told so."""
    got: list[Bundle] = []
    source = ControlSource(control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", got.append)
    running = asyncio.create_task(source.run())
    try:
        for line in (bundle(5).model_dump_json().encode(), b'{"generation": 6, "surprise": 1}', b"", b""):
            control.lines.put_nowait(line)
        await until(lambda: "can't be used" in source.trouble and control.lines.empty())
        await asyncio.sleep(0.05)
        assert "can't be used" in source.trouble
        control.lines.put_nowait(bundle(7).model_dump_json().encode())
        await until(lambda: not source.trouble)
        assert [one.generation for one in got] == [5, 7]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("max_age", "left"), [(0.1, ()), (None, ("web",)), (60.0, ("web",))])
async def test_a_policy_counts_no_longer_than_it_may(
    control: Control, tmp_path: Path, max_age: float | None, left: tuple[str, ...]
) -> None:
    got: list[Bundle] = []
    source = ControlSource(
        control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", got.append, max_age=max_age
    )
    running = asyncio.create_task(source.run())
    try:
        control.lines.put_nowait(bundle(5, policies=("web",)).model_dump_json().encode())
        await until(lambda: got)
        control.status = "503 Service Unavailable"
        control.lines.put_nowait(None)
        await until(lambda: source.age > 0.2)
        # The second request from here on is made after an answer to one that began with the policy this old.
        asked = len(control.requests)
        await until(lambda: len(control.requests) >= asked + 2)
        assert tuple(policy.name for policy in got[-1].policies) == left
        control.status = "200 OK"
        control.lines.put_nowait(bundle(5, policies=("web",)).model_dump_json().encode())
        await until(lambda: not source.trouble)
        assert [policy.name for policy in got[-1].policies] == ["web"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("body", "left", "absent"),
    [
        # The Database was deleted, or is not valid any more, while nobody here was listening.
        (b'{"error": "there is no usable Database shop in shop", "absent": true}', (), True),
        (b'{"error": "there is no usable Database shop in shop", "absent": false}', (), False),
        # From a control that does not tell them apart.
        (b'{"error": "there is no usable Database shop in shop"}', (), False),
        # Something that knows no such path says nothing about the Database.
        (b"Not Found", ("web",), False),
        (b'["error", "absent"]', ("web",), False),
        (b'{"absent": true}', ("web",), False),
    ],
)
async def test_a_database_that_went_meanwhile_gives_no_access_any_more(
    control: Control, tmp_path: Path, body: bytes, left: tuple[str, ...], absent: bool
) -> None:
    got: list[Bundle] = []
    source = ControlSource(control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", got.append)
    running = asyncio.create_task(source.run())
    try:
        control.lines.put_nowait(bundle(5, policies=("web",)).model_dump_json().encode())
        await until(lambda: got)
        control.status, control.body = "404 Not Found", body
        control.lines.put_nowait(None)
        await until(lambda: len(control.requests) >= 3 and "answers 404" in source.trouble)
        assert tuple(policy.name for policy in got[-1].policies) == left
        assert len(got) == (1 if left else 2)
        assert source.absent is absent
        # It comes back as it was.
        control.status = "200 OK"
        control.lines.put_nowait(bundle(5, policies=("web",)).model_dump_json().encode())
        await until(lambda: not source.trouble)
        assert [policy.name for policy in got[-1].policies] == ["web"]
        assert not source.absent
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("status", "words"),
    [("401 Unauthorized", "does not accept this pod's token"), ("403 Forbidden", "may not read"),
     ("503 Unavailable", "answers 503")],
)  # fmt: skip
async def test_refusals_are_named(control: Control, tmp_path: Path, status: str, words: str) -> None:
    control.status = status
    source = ControlSource(control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", lambda _: None)
    running = asyncio.create_task(source.run())
    await until(lambda: words in source.trouble)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
async def test_files_that_are_missing_are_named(control: Control, tmp_path: Path, missing: str) -> None:
    (tmp_path / missing).unlink()
    source = ControlSource(control.url, tmp_path / "token", tmp_path / "ca.crt", "shop", "shop", lambda _: None)
    running = asyncio.create_task(source.run())
    await until(lambda: "No such file" in source.trouble)
    assert "\n" not in source.trouble
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
