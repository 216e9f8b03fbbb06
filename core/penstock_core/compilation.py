"""Whether this is a compiled build: the same modules, of which pyproject.toml lists some, as machine code or as Python.

What doesn't belong: compiling them (`hatch_build.py`).
"""

from __future__ import annotations

from pathlib import Path

from penstock_core.audit import chain


def is_compiled() -> bool:
    """Whether the listed modules are machine code here. Either all of them are or none is, so one tells."""
    return Path(chain.__file__).suffix != ".py"


def in_words() -> str:
    """The same for people."""
    return "compiled" if is_compiled() else "interpreted"
