"""Checkpoints in a bucket: with a server that keeps them, and with answers that it does not give.

The server knows keys by their names; signatures of version 4 it does not check.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.collector.checkpoints.s3_process import KEY, s3_server

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.place import PlaceError
from penstock_collector.checkpoints.s3 import S3Place


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        yield url


def place_of(url: str, tmp_path: Path, secret: str = KEY, access: str = KEY) -> S3Place:
    (tmp_path / "access").write_text(access + "\n")
    (tmp_path / "secret").write_text(secret + "\n")
    settings = CheckpointSettings(
        checkpoint_key_file=tmp_path / "key", checkpoint_s3_url=url,
        checkpoint_s3_access_key_file=tmp_path / "access", checkpoint_s3_secret_key_file=tmp_path / "secret",
    )  # fmt: skip
    return S3Place(settings)


@pytest.mark.parametrize("prefix", ["", "/one", "/two/parts/"])
def test_what_is_put_is_there_and_stays(prefix: str, bucket: str, tmp_path: Path) -> None:
    place = place_of(bucket + prefix, tmp_path)
    place.put("c1/0000000001.json", b"one\n")
    place.put("c1/0000000001.json", b"one\n")
    with pytest.raises(PlaceError, match="is there already and is another checkpoint"):
        place.put("c1/0000000001.json", b"two\n")
    place.put("c1/0000000002.json", b"two\n")
    # With a `/`, it would be another prefix for others.
    with pytest.raises(PlaceError, match="is another checkpoint"):
        place_of((bucket + prefix).rstrip("/"), tmp_path).put("c1/0000000002.json", b"other\n")


def test_what_cannot_be_written(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"cannot be written: 404 .*NoSuchBucket"):
        place_of(bucket.replace("trail", "nothing"), tmp_path).put("c2/1.json", b"one\n")
    with pytest.raises(PlaceError, match=r"c2/1\.json in the bucket trail cannot be written"):
        place_of("http://127.0.0.1:9/trail", tmp_path).put("c2/1.json", b"one\n")
    place = place_of(bucket, tmp_path)
    (tmp_path / "secret").unlink()
    with pytest.raises(PlaceError, match="No such file or directory"):
        place.put("c2/1.json", b"one\n")


def test_a_key_that_nobody_has_is_refused(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"cannot be written: 403 .*InvalidAccessKeyId"):
        place_of(bucket, tmp_path, access="another").put("c3/1.json", b"one\n")


class Scripted(BaseHTTPRequestHandler):
    """Answers as it is told to, and notes what it was asked."""

    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, str | None]]

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.asked.append((self.command, self.headers.get("if-none-match")))
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def scripted() -> Iterator[str]:
    Scripted.asked = []
    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/trail"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ([(404, b""), (200, b"")], ""),
        # It came in between, by this collector before it was killed, or by somebody else.
        ([(404, b""), (412, b""), (200, b"one\n")], ""),
        ([(404, b""), (412, b""), (200, b"two\n")], "is another checkpoint"),
        # Keys that may write and not read.
        ([(403, b""), (200, b"")], ""),
        ([(403, b""), (412, b""), (403, b"")], "cannot be compared: allow s3:GetObject"),
        ([(404, b""), (409, b"conflict")], "cannot be written: 409 conflict"),
        ([(404, b""), (403, b"<Code>AccessDenied\x1b[2J\n</Code>")], "cannot be written: 403 <Code>AccessDenied"),
        ([(500, b"sorry")], "cannot be looked for: 500 sorry"),
    ],
)
def test_what_a_server_may_answer(
    answers: list[tuple[int, bytes]], complaint: str, scripted: str, tmp_path: Path
) -> None:
    Scripted.answers = list(answers)
    place = place_of(scripted, tmp_path)
    if complaint:
        with pytest.raises(PlaceError, match=complaint):
            place.put("c1/1.json", b"one\n")
    else:
        place.put("c1/1.json", b"one\n")
    assert Scripted.answers == []
    assert all(condition == "*" for method, condition in Scripted.asked if method == "PUT"), "it never replaces"
