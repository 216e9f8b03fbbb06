"""What commands print of requests for approval, whoever keeps them: JSON, or words.

What doesn't belong: the words (`request_view.py`, which is imported when something is printed: it is slow to).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from penstock_cli import json_lines

STANDINGS = (
    "waiting", "approved", "denied", "expired", "used", "in effect", "ended", "unreviewed", "reviewed", "all",
)  # fmt: skip
# What has to be done about: what waits for a decision, or for a review.
DUE = "due"


def printed(found: list[dict[str, Any]], as_json: bool, in_words: Callable[[Any], None]) -> None:
    """A line of JSON for each, or what `in_words` makes of `request_view`."""
    if as_json:
        json_lines.show(found)
        return
    from penstock_cli import request_view  # noqa: PLC0415 # what words requests is slow to import

    in_words(request_view)


standing_option = click.option(
    "--standing", type=click.Choice((DUE, *STANDINGS)), default=DUE, show_default=True,
    help="Which of them; due is what waits for a decision, or for a review.",
)  # fmt: skip
lasts_option = click.option(
    "--for", "lasts", default="", help="Of access: for how long.  [default: as long as was asked for]"
)
