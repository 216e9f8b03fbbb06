"""How a command ends that can't do its work: one clear line, and a status of its own.

What doesn't belong: results that are bad news (a refusal, a chain that does not verify); those are status 1.
"""

from __future__ import annotations

import click


class Unusable(click.ClickException):
    """What a command needs can't be read or makes no sense."""

    exit_code = 2
