"""`python -m tests.applications.page --write`: the list in docs/applications.md, from the applications and exceptions.

The words around the list are the page's own.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.applications import listed
from tests.applications.listed import Exemption
from tests.applications.programs import APPLICATIONS, Application

PAGE = Path(__file__).parents[2] / "docs" / "applications.md"
_LIST = re.compile(r"(?<=<!-- list -->\n).*?(?=<!-- end of the list -->)", re.DOTALL)


def written(text: str, applications: Sequence[Application], exemptions: Sequence[Exemption]) -> str:
    """The page with the list as it is now."""
    if not _LIST.search(text):
        raise ValueError(f"{PAGE} has no place for the list")
    return _LIST.sub(lambda _: "".join(_lines(applications, exemptions)), text)


def _lines(applications: Sequence[Application], exemptions: Sequence[Exemption]) -> Iterator[str]:
    yield "\n| application | |\n|---|---|\n"
    for one in applications:
        masked = ", ".join(f"{mask.table.removeprefix('public.')}.{mask.column}" for mask in one.masks)
        yield f"| {one.name} | {_cell(f'{one.what or one.name}. Masked: {masked}')} |\n"
    yield "\n| does not work masked | why | instead |\n|---|---|---|\n"
    for exemption in exemptions:
        where, steps = ", ".join(exemption.applications), "; ".join(exemption.steps)
        if exemption.postgres:
            where += f" on PostgreSQL {', '.join(map(str, exemption.postgres))}"
        yield f"| {_cell(where)}: {_cell(steps)} | {_cell(exemption.reason)} | {_cell(exemption.instead)} |\n"
    yield "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True)
    parser.parse_args()
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), APPLICATIONS, listed.load()), encoding="utf-8")
    sys.exit(0)


if __name__ == "__main__":
    main()
