"""Writes docs/values.md: every value of the chart, from values.yaml and its comments.

python -m docs.values --write      python -m docs.values --check
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docs.pages import main

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


if __name__ == "__main__":
    sys.exit(main(__doc__, [(DOCS / "values.md", page())], "monitoring"))
