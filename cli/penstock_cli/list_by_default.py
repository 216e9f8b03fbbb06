"""A group of commands that lists by itself: `penstock requests` is `penstock requests list`.

What doesn't belong: what is listed.
"""

from __future__ import annotations

import click


class ListByDefault(click.Group):
    """Without a subcommand, lists."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        listed = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if listed else args)
