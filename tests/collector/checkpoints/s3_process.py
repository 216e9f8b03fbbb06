"""The S3-like server of `s3_server/`, run by node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conformance.clients import program

PROGRAM = Path(__file__).parent / "s3_server"
_INSTALL = ("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
KEY = "S3RVER"


@contextmanager
def s3_server(directory: Path) -> Iterator[str]:
    """The URL of a bucket that is empty at first."""
    process = subprocess.Popen(
        ["node", "server.mjs", str(directory)],
        cwd=program(PROGRAM, _INSTALL), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/trail"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
