"""Checkpoints in a bucket: with servers that keep them, one of which checks signatures, and with answers of neither."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from tests.collector.checkpoints.s3_process import KEY, Keys, s3_server, s3_with_keys

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


@pytest.fixture(scope="module")
def keys() -> Iterator[Keys]:
    with s3_with_keys() as found:
        yield found


def test_who_signs_by_the_right_key_is_let_in(keys: Keys, tmp_path: Path) -> None:
    place = place_of(keys.url + "/deep/er", tmp_path, keys.secret, keys.access)
    place.put("c1/0000000001.json", b"one\n")
    place.put("c1/0000000001.json", b"one\n")
    with pytest.raises(PlaceError, match="is there already and is another checkpoint"):
        place.put("c1/0000000001.json", b"two\n")
    # A secret that is replaced is read anew.
    (tmp_path / "secret").write_text("another\n")
    with pytest.raises(PlaceError, match=r"cannot be written: 403 .*SignatureDoesNotMatch"):
        place.put("c1/0000000002.json", b"two\n")
    (tmp_path / "secret").write_text(keys.secret + "\n")
    place.put("c1/0000000002.json", b"other\n")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda keys: (keys.access, keys.secret + "x"), "SignatureDoesNotMatch"),
        (lambda keys: (keys.access, keys.secret.swapcase()), "SignatureDoesNotMatch"),
        (lambda keys: ("AKIA" + "X" * 16, keys.secret), "InvalidAccessKeyId"),
    ],
)
def test_who_has_another_key_is_refused_and_nothing_is_written(
    spoil: Callable[[Keys], tuple[str, str]], complaint: str, keys: Keys, tmp_path: Path
) -> None:
    access, secret = spoil(keys)
    with pytest.raises(PlaceError, match=rf"cannot be written: 403 .*{complaint}"):
        place_of(keys.url, tmp_path, secret, access).put("c3/1.json", b"one\n")
    place = place_of(keys.url, tmp_path, keys.secret, keys.access)
    url, headers = place._signed("GET", "c3/1.json", b"", {})
    assert httpx2.get(url, headers=headers, trust_env=False).status_code == 404


def test_a_key_that_may_not_write_there_is_refused(keys: Keys, tmp_path: Path) -> None:
    elsewhere = keys.url.replace("/trail", "/other")
    with pytest.raises(PlaceError, match=r"cannot be written: 40[34]"):
        place_of(elsewhere, tmp_path, keys.secret, keys.access).put("c4/1.json", b"one\n")


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
