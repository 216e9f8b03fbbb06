"""`penstock validate`: check resource files as the gate would, before a commit or in CI.

What doesn't belong: the checks themselves (`penstock_core.resources`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from penstock_core.resources import (
    AccessRequest,
    Database,
    DatabaseAccessPolicy,
    Problem,
    ResourceError,
    check,
    doubts,
    load,
)


@click.command(name="validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--namespace", default="default", show_default=True, help="For documents that do not name one.")
def command(files: tuple[Path, ...], namespace: str) -> None:
    """Check Database and DatabaseAccessPolicy FILES (`-`: standard input), alone and together.

    Prints a line for each problem, with file, line and field. Status 0: none; 1: some; 2: a file can't be read. A
    condition that fails for some identity is a warning.
    """
    resources: list[Database | DatabaseAccessPolicy | AccessRequest] = []
    problems: list[Problem] = []
    for file in files:
        try:
            resources += load(_read(file), str(file), namespace)
        except ResourceError as error:
            problems += error.problems
    problems += check(resources)
    for problem in problems:
        click.echo(str(problem), err=True)
    for policy in resources:
        for doubt in doubts(policy) if isinstance(policy, DatabaseAccessPolicy) else ():
            click.echo(f"warning: {doubt}", err=True)
    if problems:
        sys.exit(1)
    click.echo(f"{len(resources)} resources in {len(files)} files: no problem found")


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ResourceError([Problem(message="is not UTF-8 text", file=str(file), line=1)]) from None
    except OSError as error:
        click.echo(f"{file}: {error.strerror}", err=True)
        sys.exit(2)
