"""How a command ends that can't do its work: one clear line, and a status of its own.

What doesn't belong: results that are bad news (a refusal, a chain that does not verify); those are status 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click


class Unusable(click.ClickException):
    """What a command needs can't be read or makes no sense."""

    exit_code = 2


@contextlib.contextmanager
def known_answer() -> Iterator[None]:
    """While what a collector answered is read and shown: one of another version may answer something else."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError):
        raise click.ClickException("the answer is not of a collector of this version") from None
