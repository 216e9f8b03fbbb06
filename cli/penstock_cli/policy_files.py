"""Resources from files and directories, made into what decides about one Database.

What doesn't belong: resources of a cluster (`cluster/rules.py`), checking them (`validate.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from penstock_cli.failures import Unusable
from penstock_core.resources import AccessRequest, Database, DatabaseAccessPolicy, ResourceError, load
from penstock_core.resources.bundle import MASK_KEY_BYTES, Bundle

RESOURCE_FILES = (".yaml", ".yml")
# What the key is makes no difference to what is decided; only the hashes would be others.
NO_KEY = bytes(MASK_KEY_BYTES)
AnyResource = Database | DatabaseAccessPolicy | AccessRequest


def resources(paths: Sequence[Path], namespace: str) -> list[AnyResource]:
    """All that the files hold; every problem in them is told of before it ends."""
    found: list[AnyResource] = []
    problems: list[str] = []
    for file in _files(paths):
        try:
            found += load(text_of(file), str(file), namespace)
        except ResourceError as error:
            problems += str(error).splitlines()
    if problems:
        raise Unusable("\n".join(problems))
    return found


def bundle_of(found: Sequence[AnyResource], wanted: str) -> Bundle:
    """The one Database, or the one that is wanted, with its policies."""
    names = [(one.namespace, one.name) for one in found if isinstance(one, Database)]
    listed = ", ".join(f"{namespace}/{name}" for namespace, name in sorted(names)) or "none"
    space, _, name = wanted.rpartition("/")
    chosen = [one for one in names if not wanted or (one[1] == name and space in ("", one[0]))]
    if len(chosen) != 1:
        which = f"one Database {wanted}" if wanted else "one Database, or --database to say which"
        raise Unusable(f"--policies: there must be {which}; there are: {listed}")
    try:
        return Bundle.of(found, namespace=chosen[0][0], database=chosen[0][1], generation=0, mask_key=NO_KEY)
    except ResourceError as error:
        raise Unusable(str(error)) from None


def text_of(file: Path) -> str:
    """A file's text; `-` is standard input."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"{file}: is not UTF-8 text") from None
    except OSError as error:
        raise Unusable(f"{file}: {error.strerror}") from None


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = sorted(one for one in path.iterdir() if one.suffix in RESOURCE_FILES)
        if not found:
            raise Unusable(f"{path}: no *.yaml or *.yml there")
        yield from found
