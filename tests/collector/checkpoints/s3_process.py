"""The S3-like servers: that of `s3_server/`, run by node, and moto's, which checks keys and signatures (`s3_keys/`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


_KEYS = Path(__file__).parent / "s3_keys"
_VENV = "python3 -m venv .venv && .venv/bin/pip install --quiet --disable-pip-version-check -r requirements.txt"


@dataclass(frozen=True)
class Keys:
    """A bucket, and the keys of the one user who may put and get there."""

    url: str
    access: str
    secret: str


@contextmanager
def s3_with_keys() -> Iterator[Keys]:
    """A bucket for whoever signs by the right key."""
    process = subprocess.Popen(
        [".venv/bin/python", "server.py"],
        cwd=program(_KEYS, ("sh", "-c", _VENV)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Keys(**json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()
