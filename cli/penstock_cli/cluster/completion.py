"""Completion of `kubectl penstock …` on a command line: kubectl asks `kubectl_complete-penstock` on the PATH.

What it prints is kubectl's own form: a candidate a line, a tab before its help, and what the shell is to do at the end.
What doesn't belong: what there is to complete (the commands themselves).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete

from penstock_cli.kubectl import command

# As cobra numbers it: names of files where none of ours is a candidate, and nothing else.
_FILES, _NO_FILES = 0, 4


def candidates(arguments: Sequence[str]) -> list[CompletionItem]:
    """What the last word, which may be empty, can become behind those before it."""
    *before, last = arguments or ("",)
    return ShellComplete(command, {}, "kubectl penstock", "").get_completions(list(before), last)


def main() -> None:
    """The entry point that kubectl finds."""
    found = candidates(sys.argv[1:])
    for one in found:
        if one.type == "plain":
            click.echo(f"{one.value}\t{one.help}" if one.help else one.value)
    click.echo(f":{_FILES if any(one.type != 'plain' for one in found) else _NO_FILES}")
