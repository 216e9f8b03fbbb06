"""The token is the file's of now, and nothing that is no token is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock_sidecar.shipping.access import NoTokenError, authorization


def test_the_token_is_that_of_now(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for token in ("a.b.c", "d.e.f"):
        file.write_text(f"{token}\n")
        assert authorization(file) == {"authorization": f"Bearer {token}"}
    assert authorization(None) == {}


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"a\nb", b"a b", b"a\x7f"])
def test_what_is_no_token(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(NoTokenError):
        authorization(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        authorization(tmp_path / "token")
