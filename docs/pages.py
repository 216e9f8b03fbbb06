"""The command line of what writes pages from the code: --write them, or --check that they are as they should be.

What doesn't belong: what stands in a page (`events.py`, `metrics.py`, `values.py`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path


def main(description: str | None, pages: Iterable[tuple[Path, str]], target: str) -> int:
    """Those texts into those files, or whether they are there; `target` of the Makefile writes them."""
    parser = argparse.ArgumentParser(description=description)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true")
    choice.add_argument("--check", action="store_true")
    write = parser.parse_args().write
    for path, text in pages:
        if write:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"docs/{path.name} is not as the code is: run make {target}", file=sys.stderr)  # noqa: T201
            return 1
    return 0
