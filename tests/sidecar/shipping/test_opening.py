"""What the next start finds: streams that nobody ended, half-written lines, and damage."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sidecar.shipping.spools import MEGABYTE, Opener, clock, files, intent, kinds, outcome
from tests.sidecar.spooled import pending

from penstock_core.audit.report import Verdict
from penstock_core.audit.verify import verify
from penstock_sidecar.shipping.spool import Spool, SpoolBroken


async def test_the_next_start_ends_what_a_dead_process_left(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, intent(0), outcome(0), intent(1)])
    await spool.append([outcome(1), intent(2), intent(3)])
    spool.acknowledge(5)  # The collector has intent 2 already; its outcome is still owed.
    spool.close()

    second = open_spool("pod/boot2")
    await second.append([{"kind": "open"}])
    assert [state.name for state in second.streams()] == ["pod/boot1", "pod/boot2"]
    left = pending(second, stream="pod/boot1")
    assert [(event["kind"], event.get("statement"), event.get("result")) for event in left] == [
        ("intent", 3, None),
        ("outcome", 2, "unknown"),
        ("outcome", 3, "unknown"),
        ("close", None, None),
    ]
    assert verify(left, partial=True).intact
    second.acknowledge(9, stream="pod/boot1")
    await second.append([intent(1)])
    assert [state.name for state in second.streams()] == ["pod/boot2"]


async def test_a_stream_that_was_closed_and_shipped_leaves_nothing(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, {"kind": "close"}])
    spool.acknowledge(2)
    spool.close()
    assert [state.name for state in open_spool("pod/boot2").streams()] == ["pod/boot2"]


async def test_a_closed_stream_is_still_shipped_by_the_next_start(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, {"kind": "close"}])
    spool.close()
    assert kinds(pending(open_spool("pod/boot2"), stream="pod/boot1")) == ["open", "close"]


def test_one_process_at_a_time(open_spool: Opener, path: Path) -> None:
    open_spool()
    with pytest.raises(SpoolBroken, match="is in use by another process"):
        Spool.open(path, "pod/boot2", MEGABYTE, clock)


def test_a_stream_name_is_used_once(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")

    async def begin() -> None:
        await spool.append([{"kind": "open"}])

    asyncio.run(begin())
    spool.close()
    with pytest.raises(SpoolBroken, match="has a stream pod/boot1 already"):
        open_spool("pod/boot1")


async def left_behind(open_spool: Opener) -> None:
    spool = open_spool("pod/boot1")
    await spool.append([{"kind": "open"}, *(intent(i) for i in range(50))])
    spool.close()


def _segment(path: Path) -> Path:
    (segment,) = path.glob("000001-*.log")
    return segment


def _garbage(path: Path) -> None:
    _segment(path).write_bytes(b"this is no segment\n" * 1000)


def _altered(path: Path) -> None:
    text = _segment(path).read_bytes()
    _segment(path).write_bytes(text.replace(b"SELECT 1", b"SELECT 2", 1))


def _removed(path: Path) -> None:
    lines = _segment(path).read_bytes().splitlines(keepends=True)
    _segment(path).write_bytes(b"".join(lines[:20] + lines[21:]))


def _filled(path: Path) -> None:
    text = _segment(path).read_bytes()
    middle = len(text) // 2
    _segment(path).write_bytes(text[:middle] + bytes(512) + text[middle + 512 :])


def _headless(path: Path) -> None:
    _segment(path).write_bytes(_segment(path).read_bytes().split(b"\n", 1)[1])


@pytest.mark.parametrize(
    ("damage", "whole"), [(_garbage, 0), (_altered, 1), (_removed, 19), (_filled, 25), (_headless, 0)]
)
def test_what_is_damaged_is_kept_aside_and_told_of(
    damage: Callable[[Path], None], whole: int, open_spool: Opener, path: Path
) -> None:
    asyncio.run(left_behind(open_spool))
    damage(path)
    before = _segment(path).read_bytes()
    spool = open_spool("pod/boot2")

    async def begin() -> None:
        await spool.append([{"kind": "open"}])
        await spool.append([intent(1)])

    asyncio.run(begin())
    (kept,) = path.glob("damaged-*")
    assert kept.read_bytes() == before
    events = pending(spool)
    assert kinds(events) == ["open", "loss", "intent"]
    assert kept.name in events[1]["cause"]
    assert verify(events).verdict is Verdict.INCOMPLETE
    rest = pending(spool, stream="pod/boot1")
    assert abs(len(rest) - whole) <= 1, "what comes before the damage is shipped"
    assert "close" not in kinds(rest), "nothing is put where other events may have been shipped from"
    spool.close()
    third = open_spool("pod/boot3")
    assert pending(third, stream="pod/boot1") == rest
    assert kinds(pending(third, stream="pod/boot2"))[-1] == "close"


def test_a_line_that_was_not_written_whole_is_cut_off(open_spool: Opener, path: Path) -> None:
    asyncio.run(left_behind(open_spool))
    whole = _segment(path).read_bytes()
    for tail in (b'{"kind":"intent","sess', bytes(4096), whole.splitlines()[3][:-1]):
        _segment(path).write_bytes(whole + tail)
        spool = open_spool("pod/boot2")
        left = pending(spool, stream="pod/boot1")
        assert (len(left), kinds(left)[-1]) == (51 + 50 + 1, "close")
        assert verify(left).intact
        assert not list(path.glob("damaged-*"))
        spool.close()
        for gone in path.glob("000002*"):
            gone.unlink()


def test_a_segment_that_was_not_begun_whole_is_as_if_it_had_not_been(open_spool: Opener, path: Path) -> None:
    asyncio.run(left_behind(open_spool))
    for begun in (b"", b'{"spool":2,"str'):
        (path / "000001-000000000052.log").write_bytes(begun)
        spool = open_spool("pod/boot2")
        assert kinds(pending(spool, stream="pod/boot1"))[-1] == "close"
        assert not list(path.glob("damaged-*"))
        spool.close()
        shutil.copy(_segment(path), path / "kept")
        (path / "kept").rename(_segment(path))
        for gone in path.glob("000002*"):
            gone.unlink()


async def test_a_missing_segment_is_told_of(open_spool: Opener, path: Path) -> None:
    spool = open_spool("pod/boot1", max_bytes=80_000)
    await spool.append([{"kind": "open"}])
    for number in range(30):
        await spool.append([intent(number, sql="x" * 1000), outcome(number)])
    spool.close()
    segments = files(path, "000001-*.log")
    assert len(segments) > 3, "there are several"
    segments[1].unlink()
    second = open_spool("pod/boot2")
    await second.append([{"kind": "open"}])
    told = pending(second)[1]
    assert told["kind"] == "loss"
    assert f"{segments[2].name} does not follow what is before it" in told["cause"]
    assert len(files(path, "damaged-*")) == len(segments) - 2


async def test_the_end_of_a_statement_is_owed_though_its_beginning_was_dropped(open_spool: Opener, path: Path) -> None:
    spool = open_spool("pod/boot1", max_bytes=80_000)
    await spool.append([{"kind": "open"}, intent(100)])
    for number in range(30):
        await spool.append([intent(number, sql="x" * 1000), outcome(number)])
    spool.acknowledge(spool.head.seq)
    await spool.append([intent(30), outcome(30)])
    spool.close()
    assert not (path / "000001-000000000001.log").exists()
    left = pending(open_spool("pod/boot2"), stream="pod/boot1")
    assert [(event["kind"], event.get("statement")) for event in left[-2:]] == [("outcome", 100), ("close", None)]


def test_a_directory_of_something_else_is_left_alone(path: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("data")
    with pytest.raises(SpoolBroken, match="it holds other files, precious among them"):
        Spool.open(path, "pod/boot", MEGABYTE, clock)
    assert sorted(file.name for file in path.iterdir()) == ["lock", "precious"]


def test_a_spool_of_a_newer_version_is_left_alone(open_spool: Opener, path: Path) -> None:
    open_spool().close()
    (path / "format").write_text("penstock audit spool 99\n")
    with pytest.raises(SpoolBroken, match="has version 99; this program knows 2"):
        Spool.open(path, "pod/boot2", MEGABYTE, clock)


def test_places_where_no_directory_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolBroken, match="file is a file: give the path of a directory"):
        Spool.open(tmp_path / "file", "pod/boot", MEGABYTE, clock)
    with pytest.raises(SpoolBroken, match=r"File exists|Not a directory"):
        Spool.open(tmp_path / "file" / "spool", "pod/boot", MEGABYTE, clock)


def test_a_read_only_spool_is_one_clear_line(open_spool: Opener, path: Path) -> None:
    open_spool().close()
    script = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from penstock_sidecar.shipping.spool import Spool, SpoolBroken
        if os.getuid() == 0:  # Root may write anything.
            for parent in Path(sys.argv[1]).parents:
                os.chmod(parent, 0o755)
                if parent.name.startswith("pytest-of-"):
                    break
            os.chmod(sys.argv[1], 0o555)
            os.chmod(sys.argv[1] + "/lock", 0o666)
            os.chmod(sys.argv[1] + "/format", 0o444)
            os.setgid(65534); os.setuid(65534)
        try:
            Spool.open(Path(sys.argv[1]), "pod/boot2", 1_000_000)
        except SpoolBroken as error:
            print(error)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"audit spool {path} cannot be written: Permission denied\n", "")
