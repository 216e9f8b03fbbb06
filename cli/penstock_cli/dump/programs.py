"""PostgreSQL's own psql and pg_dump: where they are, what they are asked, and what they say.

Where they lead to and as whom is in the variables that they read, so that no password is in a list of processes. What
doesn't belong: what is asked (`constraints.py`).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock_cli.failures import Unusable

# Where packages put the programs of several versions side by side.
_PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_TABLE = re.compile(r"^pg_dump: dumping contents of table \"?(.*?)\"?$")
# What pg_dump says about itself only because it is asked to be verbose.
_CHATTER = re.compile(r"^pg_dump: (?!error|warning|detail|hint)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one query came to: its lines, or what the server or the gate said against it."""

    lines: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one version."""

    directory: Path
    version: int

    def ask(self, queries: Sequence[str], environment: Mapping[str, str]) -> list[Answer]:
        """What each query answers, asked one after the other in one session. Raises Unusable if there is none."""
        script = "".join(f"\\echo {_MARK}\n\\warn {_MARK}\n{query};\n" for query in queries)
        done = subprocess.run(
            [self.directory / "psql", "-XqAt", "-f", "-"],
            input=script, capture_output=True, text=True, env=dict(environment), check=False,
        )  # fmt: skip
        shown, said = done.stdout.split(f"{_MARK}\n")[1:], done.stderr.split(f"{_MARK}\n")[1:]
        if len(shown) != len(queries):
            raise Unusable(done.stderr.strip() or "psql ended before it had answered")
        return [Answer(tuple(lines.splitlines()), _message(error)) for lines, error in zip(shown, said, strict=True)]

    def dump(self, options: Sequence[str], environment: Mapping[str, str], tell: Callable[[str], None]) -> int:
        """Run pg_dump; what it says goes to `tell`, each table that it comes to in a line. The status is its own."""
        # What it says is looked through: in one language, line by line.
        with subprocess.Popen(
            [self.directory / "pg_dump", "--verbose", *options],
            stderr=subprocess.PIPE, text=True, env={**environment, "LC_MESSAGES": "C", "LANGUAGE": "C"},
        ) as process:  # fmt: skip
            for line in process.stderr or ():
                table = _TABLE.match(line)
                if table is not None:
                    tell(f"rows of {table[1]}")
                elif not _CHATTER.match(line):
                    tell(line.rstrip())
        return process.returncode


_MARK = "----- penstock dump"


def installed(directory: Path | None, root: Path = Path("/")) -> list[Programs]:
    """Those that are there, oldest first: in that directory, or on the PATH and where packages put them."""
    if directory is not None:
        places: Iterable[Path] = [directory]
    else:
        found = shutil.which("pg_dump")
        places = [*([Path(found).parent] if found else []), *(one for place in _PLACES for one in root.glob(place))]
    programs = [Programs(place, version) for place in places if (version := _version(place)) is not None]
    return sorted(programs, key=lambda one: one.version)


def able(programs: Sequence[Programs], server: int) -> Programs:
    """The oldest that can dump from a server of that version. Raises Unusable."""
    for one in programs:
        if one.version >= server:
            return one
    there = ", ".join(f"{one.version} in {one.directory}" for one in programs)
    raise Unusable(
        f"the server is PostgreSQL {server}, and only a pg_dump of that version or a newer one can dump it; there is"
        f" {there}: install postgresql-client-{server}, or say with --bin where it is"
    )


def _version(place: Path) -> int | None:
    if not (place / "psql").exists():
        return None
    try:
        done = subprocess.run([place / "pg_dump", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = _VERSION.search(done.stdout)
    return int(found[1]) if found else None


def _message(said: str) -> str:
    """The first error in what psql said, without the place in the script."""
    found = re.search(r"(?:ERROR|FATAL): +(.*)", said)
    return found[1] if found else said.strip()
