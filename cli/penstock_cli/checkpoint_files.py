"""Reading signed checkpoints, and the public keys that they are checked with, from files.

What doesn't belong: what is in them (`penstock_core.audit.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from penstock_cli.failures import Unusable
from penstock_core.audit import pem
from penstock_core.audit.checkpoint_series import Checkpoints, gather

# Of a hundred thousand streams; a larger file is none of ours.
_MOST_BYTES = 64 * 1024 * 1024


F = TypeVar("F", bound=Callable[..., Any])


def options(command: F) -> F:
    """The options that say what an export is held against, and whether it may be a part."""
    for option in (
        click.option(
            "--partial", is_flag=True, help="Streams may begin late: an export of a part, or after retention."
        ),
        click.option(
            "--key", "keys", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
            help="The public key of the checkpoints (PEM); several times where it was replaced.",
        ),
        click.option(
            "--checkpoints", type=click.Path(path_type=Path, exists=True, file_okay=False),
            help="A directory with signed checkpoints, copied before the export was made (docs/verify.md).",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def gathered(directory: Path | None, keys: Sequence[Path], *, partial: bool) -> Checkpoints | None:
    """All in the directory and below it; None without one. Raises ClickException where they can't be read or used."""
    if bool(keys) != (directory is not None):
        raise click.UsageError("--checkpoints and --key come together: what is signed needs the key that signed it")
    if directory is None:
        return None
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
