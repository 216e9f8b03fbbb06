"""Reading signed checkpoints, and the public keys that they are checked with, from files.

What doesn't belong: what is in them (`penstock_core.audit.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from penstock_cli.failures import Unusable
from penstock_core.audit import pem
from penstock_core.audit.checkpoint_series import Checkpoints, gather

# Of a hundred thousand streams; a larger file is none of ours.
_MOST_BYTES = 64 * 1024 * 1024


def gathered(directory: Path, keys: Sequence[Path], *, partial: bool) -> Checkpoints:
    """All in the directory and below it. Raises ClickException where they can't be read."""
    public = [_key(file) for file in keys]
    found = gather(_files(directory), public, partial=partial)
    if not found.series and not found.found.counts:
        raise click.UsageError(f"no checkpoints in {directory}: their names end in .json")
    return found


def _files(directory: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(directory.rglob("*.json")):
        inner = path.relative_to(directory)
        # What a version control keeps for itself.
        if any(part.startswith(".") for part in inner.parts) or not path.is_file():
            continue
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise Unusable(f"{path} cannot be read: {error.strerror}") from None
        yield str(inner), content


def _key(file: Path) -> Ed25519PublicKey:
    try:
        return pem.public_key(file.read_bytes())
    except OSError as error:
        raise Unusable(f"{file} cannot be read: {error.strerror}") from None
    except pem.PemError as error:
        raise Unusable(f"{file} is {error}; openssl pkey -in KEY -pubout makes one of a private key") from None
