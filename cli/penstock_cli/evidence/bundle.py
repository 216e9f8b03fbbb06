"""The folder: files that each have a line in SHA256SUMS, which may be signed. It has its name once it is whole.

What doesn't belong: what is in the files (`command.py`).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from penstock_cli.failures import Unusable
from penstock_core.audit import pem

_SUMS = "SHA256SUMS"


class Bundle:
    """A folder that is being made, beside where it will be. Raises Unusable for what can't be written."""

    def __init__(self, place: Path) -> None:
        self._place = place
        if place.exists() and not (place.is_dir() and not any(place.iterdir())):
            raise Unusable(f"{place} is there already: name a folder that is not")
        self.directory = place.with_name(f"{place.name}.unfinished")
        # Of the command when it was killed.
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        # The trail tells who asked what: that is not for everybody on the machine.
        self.directory.mkdir(mode=0o700)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def finish(self, key: Ed25519PrivateKey | None) -> None:
        """Sum up the files, sign the sums if there is a key, and give the folder its name."""
        files = sorted(one for one in self.directory.rglob("*") if one.is_file())
        sums = "".join(f"{_sha256(one)}  {one.relative_to(self.directory)}\n" for one in files).encode()
        (self.directory / _SUMS).write_bytes(sums)
        if key is not None:
            (self.directory / f"{_SUMS}.sig").write_bytes(key.sign(sums))
        for one in (*files, self.directory / _SUMS):
            _sync(one)
        if self._place.exists():
            self._place.rmdir()
        self.directory.rename(self._place)


def signing_key(file: Path) -> Ed25519PrivateKey:
    """The Ed25519 key in a PEM file. Raises Unusable."""
    try:
        return pem.private_key(file.read_bytes())
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}") from None
    except pem.PemError as error:
        raise Unusable(f"{file} is {error}; openssl genpkey -algorithm ed25519 makes one") from None


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
