"""What commands print for programs: a line of JSON for each thing, whatever it is.

What doesn't belong: words for people (the views).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import click


def show(found: Iterable[object]) -> None:
    """Print them; what is not ASCII stays readable."""
    for one in found:
        click.echo(json.dumps(one, ensure_ascii=False))
