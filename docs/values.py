"""Writes docs/values.md: every value of the chart, from values.yaml and its comments.

python docs/values.py --write      python docs/values.py --check
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
VALUES = DOCS.parent / "charts" / "penstock" / "values.yaml"
HEAD = """# Values of the chart

Made from `charts/penstock/values.yaml` by `make monitoring`. Every value is checked by `values.schema.json`: Helm
refuses what is not here, and what is of another form. [operate.md](operate.md) says which to set in production.
"""
_LINE = re.compile(r"^( *)(?:# ?(?P<comment>.*)|(?P<key>[\w]+):(?: (?P<value>.*))?)$")


@dataclass(frozen=True, slots=True)
class Value:
    """A value, or what several below it have in common."""

    path: str
    default: str
    words: str


def values() -> Iterator[Value]:
    """All of them in the file's order."""
    path: list[str] = []
    words: list[str] = []
    for line in VALUES.read_text().splitlines():
        if not line:
            words = []
            continue
        found = _LINE.match(line)
        if found is None:
            raise ValueError(f"values.yaml: not understood: {line}")
        if found["comment"] is not None:
            words.append(found["comment"].strip())
            continue
        path = [*path[: len(found[1]) // 2], found["key"]]
        if found["value"] or words:
            yield Value(".".join(path), found["value"] or "", " ".join(words))
        words = []


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    top = ""
    for one in values():
        first = one.path.partition(".")[0]
        if first != top:
            top = first
            lines += ["", f"## {first}", "", "| value | default | what |", "|---|---|---|"]
        default = f"`{one.default}`" if one.default else ""
        cells = (f"`{one.path}`", default, one.words)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in cells)} |")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def main() -> int:
    """Write the page, or tell whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true")
    choice.add_argument("--check", action="store_true")
    written = DOCS / "values.md"
    if parser.parse_args().write:
        written.write_text(page())
    elif not written.exists() or written.read_text() != page():
        print("docs/values.md is not as values.yaml is: run make monitoring", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
