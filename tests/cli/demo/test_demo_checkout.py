"""`make demo` on a fresh clone, wherever it lies and whoever makes it: it plays, or says in one line what is wrong.

Making an environment takes most of a minute, so each checkout is hard in several ways at once; what its parts do alone
is tested in `test_programs.py` and `test_command.py`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.demo.checkouts import Checkout, checkout, finished, pythons
from tests.cli.demo.processes import need_root, running_in, wait

PLAYED = "24 scenes, each as it should be"
ONCE = ("make", "demo", "DEMO_ARGS=--once")
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every account reaches."""
    with tempfile.TemporaryDirectory(prefix="penstock-places-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def others(place: Path) -> Checkout:
    """Another account's than root, with the oldest Python that it can run."""
    account = "nobody" if os.geteuid() == 0 else None
    home = place / "other"
    return checkout(home / "penstock", home / "tmp", pythons(account)[0], account)


@pytest.fixture(scope="module")
def roots(place: Path) -> Checkout:
    """Root's with the newest Python: in a home closed to others, umask 077, spaces and umlauts in a very long path."""
    need_root()
    home = place / "home"
    home.mkdir(mode=0o700)
    directory = home.joinpath("with spaces", "und ümläute", *["long" * 40] * 6, "penstock")
    assert len(os.fsencode(directory)) > 1024
    return checkout(directory, place / "tmp", pythons(None)[-1], umask=0o077)


def left_nothing(one: Checkout) -> bool:
    return list(one.temporary.glob("penstock-*")) == [] and wait(lambda: running_in(one.temporary) == [])


def test_another_account_twice_at_once_with_the_oldest_python(others: Checkout) -> None:
    both = [others.start(*ONCE) for _ in range(2)]
    for status, printed in map(finished, both):
        assert (status, printed.splitlines()[-1]) == (0, PLAYED), printed
    assert left_nothing(others)


def test_a_second_one_says_where_the_first_runs_and_never_takes_its_programs_away(others: Checkout) -> None:
    assert others.run("make", ".venv-demo/ready")[0] == 0
    first = others.start("make", "demo")
    assert wait(lambda: any(others.temporary.glob("penstock-demo-*/mcp")))
    (found,) = others.temporary.glob("penstock-demo-*/.penstock-demo")
    where = f"a demo runs in {found.parent} (to end it: Ctrl-C there, or kill {found.read_text()})"
    second = others.run(*ONCE)
    assert (second[0], second[1].splitlines()[-1]) == (0, PLAYED), second[1]
    assert f"Beside this one, {where}." in second[1].splitlines()
    # As after a pull: the environment that the first runs from is out of date.
    os.utime(others.directory / "pyproject.toml")
    status, printed = others.run(*ONCE)
    refused = "environment .venv-demo: out of date, and not replaced, since a demo runs from it: end that first"
    assert (status, printed.splitlines()[:2]) == (2, [refused, where])
    emails = "SELECT email FROM customers ORDER BY id LIMIT 1"
    assert others.run("sh", str(found.parent / "psql"), "-Atc", emails) == (0, "a***@example.com\n")
    os.kill(int(found.read_text()), signal.SIGTERM)
    assert finished(first)[0] == 0
    assert left_nothing(others)
    os.utime(others.directory / ".venv-demo" / "ready")


def test_ctrl_c_on_its_terminal_ends_it_clean(others: Checkout) -> None:
    status, shown = others.on_a_terminal("make", "demo", until="end    Ctrl-C")
    # As a shell reports that make ended by the signal that it too got.
    assert status in (0, 130, -signal.SIGINT)
    # And no line of make's.
    assert re.fullmatch(r", or kill \d+\n\^C\nending it\n", shown.partition("end    Ctrl-C")[2]), shown
    assert left_nothing(others)


def test_ctrl_c_while_it_starts_ends_it_clean(others: Checkout) -> None:
    status, shown = others.on_a_terminal("make", "demo", until="starting a PostgreSQL")
    assert status in (0, 130, -signal.SIGINT)
    assert "make: ***" not in shown
    assert "Traceback" not in shown
    assert left_nothing(others)


def test_root_in_a_closed_directory_with_umask_077_and_the_newest_python(roots: Checkout) -> None:
    status, printed = roots.run(*ONCE)
    assert (status, printed.splitlines()[-1]) == (0, PLAYED), printed
    assert left_nothing(roots)


def test_root_after_a_start_that_was_killed_while_it_copied(roots: Checkout) -> None:
    killed = roots.start(".venv-demo/bin/penstock", "--log-level", "warning", "demo")
    assert wait(lambda: list(roots.temporary.glob("penstock-demo-*/postgres/programs/*")) != [])
    killed.kill()
    assert finished(killed) == (-signal.SIGKILL, "")
    assert list(roots.temporary.glob("penstock-*")) != []
    status, printed = roots.run(*ONCE)
    assert (status, printed.splitlines()[-1]) == (0, PLAYED), printed
    assert left_nothing(roots)


def test_root_with_a_closed_temporary_directory(roots: Checkout, place: Path) -> None:
    closed = place / "home"
    status, printed = roots.run(".venv-demo/bin/penstock", "demo", "--once", TMPDIR=closed)
    remedy = "name another temporary directory in TMPDIR"
    assert (status, printed) == (1, f"Error: PostgreSQL runs as nobody, which can't enter {closed}: {remedy}\n")
    assert closed.stat().st_mode & 0o777 == 0o700


def test_root_with_a_temporary_directory_mounted_noexec(roots: Checkout, place: Path) -> None:
    mounted = place / "noexec"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,mode=1777", "tmpfs", mounted], check=True)
    try:
        status, printed = roots.run(".venv-demo/bin/penstock", "demo", "--once", TMPDIR=mounted)
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert (status, printed) == (
        1,
        f"Error: {mounted} is mounted noexec, and PostgreSQL has to run from a copy there: "
        "name another temporary directory in TMPDIR\n",
    )


def test_root_with_the_oldest_python(roots: Checkout, others: Checkout, place: Path) -> None:
    """Where the other account can't run it, in an environment of its own."""
    oldest = pythons(None)[0]
    if others.python != oldest:
        status, printed = checkout(place / "oldest" / "penstock", place / "tmp", oldest).run(*ONCE)
        assert (status, printed.splitlines()[-1]) == (0, PLAYED), printed
