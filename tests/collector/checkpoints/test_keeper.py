"""A collector that signs checkpoints: what it keeps, what waits, and an auditor who holds an export against them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.keeper import CheckpointKeeper, SigningKeyError, keeper_of
from penstock_collector.checkpoints.place import PlaceError
from penstock_collector.store import alarms, checkpoints
from penstock_collector.store.alarms import Alarm
from penstock_core.audit.checkpoint_series import gather
from penstock_core.audit.verify import verify

KEY = Ed25519PrivateKey.generate()
OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}


def pem(key: Any) -> bytes:
    made: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made


class Place:
    """A place that fails as long as it is told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.down = False

    def put(self, name: str, content: bytes) -> None:
        if self.down:
            raise PlaceError("the disk is full")
        assert self.files.setdefault(name, content) == content

    def gathered(self) -> Any:
        return gather(self.files.items(), [KEY.public_key()])


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
def keeper(client: Any, place: Place) -> CheckpointKeeper:
    collector = client.running.collector
    return CheckpointKeeper(collector.writer, KEY, place, 3600, collector.metrics)


async def test_an_export_is_held_against_what_was_signed(
    client: Any, sender: Any, new_sender: Any, keeper: CheckpointKeeper, place: Place
) -> None:
    other = new_sender("gw1/boot2")
    await client.send(sender.seal(OPEN) + sender.statement(1))
    await client.send(other.seal(OPEN), "gw1/boot2")
    await keeper.step(1_764_000_000)
    await client.send(sender.statement(2))
    await keeper.step(1_764_000_900)
    first, second = (json.loads(content) for content in place.files.values())
    assert [name.split("/")[1] for name in place.files] == ["0000000001.json", "0000000002.json"]
    gates = [
        {one["stream"]: one["seq"] for one in each["streams"] if one["sender"] == "token:gw1"}
        for each in (first, second)
    ]
    assert gates == [{"gw1/boot1": 3, "gw1/boot2": 1}, {"gw1/boot1": 5}], "what has not changed is not told again"
    assert (first["complete"], second["complete"], second["time"]) == (True, False, "2025-11-24T16:15:00.000000Z")
    report = verify(await client.export_lines(), checkpoints=place.gathered())
    assert report.intact, report.findings
    less = [line for line in await client.export_lines() if b"boot2" not in line]
    assert "gw1/boot2: cut-tail" in "".join(map(str, verify(less, checkpoints=place.gathered()).findings))


async def test_one_that_could_not_be_kept_goes_first_and_unchanged(
    client: Any, sender: Any, keeper: CheckpointKeeper, place: Place
) -> None:
    await client.send(sender.seal(OPEN))
    place.down = True
    for _ in range(3):
        with pytest.raises(PlaceError):
            await keeper.step(1_764_000_000)
        await client.send(sender.seal({"kind": "heartbeat"}))
    place.down = False
    await keeper.step(1_764_000_900)
    assert place.gathered().found.kept == []
    assert list(place.gathered().promises.of("gw1/boot1").heads) == [1, 4]


async def standing(client: Any) -> list[tuple[str, str, int]]:
    found = (await client.get("/v1/alarms?kind=checkpoint")).json()["alarms"]
    return [(one["stream"], one["detail"], one["count"]) for one in found]


async def run_until(keeper: CheckpointKeeper, done: Callable[[], Awaitable[bool]]) -> None:
    running = asyncio.create_task(keeper.run())
    try:
        for _ in range(1000):
            if await done():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it never came to that")
    finally:
        running.cancel()


async def test_an_alarm_stands_from_the_first_that_fails_to_the_next_that_is_kept(
    client: Any, keeper: CheckpointKeeper, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_collector.checkpoints.keeper._RETRY_SECONDS", 0.01)
    place.down = True

    async def thrice() -> bool:
        return any(count >= 3 for _, _, count in await standing(client))

    await run_until(keeper, thrice)
    ((stream, detail, _),) = await standing(client)
    assert (stream, detail) == ("", "no checkpoint can be kept: the disk is full")
    metrics = (await client.get("/metrics", token=None)).text
    assert 'penstock_collector_alarms{kind="checkpoint"} 1.0' in metrics
    assert "penstock_collector_checkpoint_failures_total 0.0" not in metrics
    assert "no checkpoint can be kept: the disk is full" in (await client.get("/streams")).text
    place.down = False

    async def over() -> bool:
        return not await standing(client)

    await run_until(keeper, over)
    (past,) = (await client.get("/v1/alarms/past")).json()["alarms"]
    assert (past["kind"], past["cleared_by"]) == ("checkpoint", "")
    assert 'penstock_collector_alarms{kind="checkpoint"} 0.0' in (await client.get("/metrics", token=None)).text


async def test_who_has_looked_is_left_alone_until_it_fails_anew(
    client: Any, keeper: CheckpointKeeper, place: Place
) -> None:
    async def fails(now: float) -> None:
        place.down = True
        await keeper._say("the disk is full", now)

    def looked(connection: Any) -> int:
        return alarms.acknowledge(connection, Alarm.CHECKPOINT, None, 9e9, "ada", "ordered a disk", 2_000)

    await fails(1_000)
    assert await client.running.collector.writer.run(looked) == 1
    await fails(3_000)
    assert await standing(client) == []
    # The next day, if nobody did anything about it.
    await fails(2_000 + 86_401)
    assert len(await standing(client)) == 1
    place.down = False
    await keeper.step(90_000)
    assert await standing(client) == []
    await fails(90_060)
    assert len(await standing(client)) == 1


async def test_a_place_that_does_not_answer_is_overdue(client: Any, keeper: CheckpointKeeper, place: Place) -> None:
    began, go_on = threading.Event(), threading.Event()

    def put(name: str, content: bytes) -> None:
        began.set()
        assert go_on.wait(20)

    place.put = put  # type: ignore[method-assign] # a volume whose server is gone
    await keeper.look(1_764_000_000)
    writing = asyncio.create_task(keeper.step(1_764_000_000))
    try:
        assert await asyncio.to_thread(began.wait, 20)
        await keeper.look(1_764_000_299)
        assert await standing(client) == []
        await keeper.look(1_764_000_300)
        await keeper.look(1_764_000_600)
        ((_, detail, count),) = await standing(client)
        assert (detail, count) == ("a checkpoint is overdue: its place does not answer for 10 minutes", 2)
    finally:
        go_on.set()
    await writing
    assert await standing(client) == []
    await keeper.look(1_764_009_000)
    assert await standing(client) == [], "between two, none is due"


async def test_one_that_was_kept_and_not_noted_is_the_same_again(
    client: Any, sender: Any, keeper: CheckpointKeeper, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.send(sender.seal(OPEN))
    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "kept", killed)
        with pytest.raises(RuntimeError):
            await keeper.step(1_764_000_000)
    await keeper.step(1_764_000_900)
    assert [series.last for series in place.gathered().series] == [2]


def killed(*_: object, **__: object) -> None:
    raise RuntimeError("killed")


async def test_some_list_all(client: Any, sender: Any, keeper: CheckpointKeeper, place: Place) -> None:
    await client.send(sender.seal(OPEN))
    for number in range(checkpoints.COMPLETE_EVERY + 1):
        await keeper.step(1_764_000_000 + number)
    complete = [json.loads(content)["number"] for content in place.files.values() if json.loads(content)["complete"]]
    assert complete == [1, checkpoints.COMPLETE_EVERY + 1]
    late = dict(list(place.files.items())[checkpoints.COMPLETE_EVERY :])
    found = gather(late.items(), [KEY.public_key()], partial=True)
    assert (found.found.kept, list(found.promises.of("gw1/boot1").heads)) == ([], [1])


async def test_a_stream_whose_head_is_not_known_is_told_once_it_is(
    client: Any, sender: Any, keeper: CheckpointKeeper, place: Place
) -> None:
    await client.send(sender.seal(OPEN))
    await client.send(b"?\n")
    await keeper.step(1_764_000_000)
    assert place.gathered().promises.of("gw1/boot1").heads == {}
    sender.seal({"kind": "heartbeat"})
    await client.send(sender.seal({"kind": "heartbeat"}))
    await keeper.step(1_764_000_900)
    assert list(place.gathered().promises.of("gw1/boot1").heads) == [3]


async def test_it_says_how_it_does(client: Any, keeper: CheckpointKeeper, place: Place) -> None:
    await keeper.step(1_764_000_000)
    text = (await client.get("/metrics", token=None)).text
    assert "penstock_collector_checkpoint_time 1.764e+09" in text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"nonsense", "is no private key in PEM without a password; openssl genpkey -algorithm ed25519 makes one"),
        (
            pem(ec.generate_private_key(ec.SECP256R1())),
            "is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one",
        ),
    ],
)
async def test_a_key_that_cannot_be_used(content: bytes | None, complaint: str, client: Any, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)
    settings = CheckpointSettings(checkpoint_key_file=tmp_path / "key.pem", checkpoint_directory=tmp_path)
    with pytest.raises(SigningKeyError) as error:
        keeper_of(settings, tmp_path, client.running.collector.writer, client.running.collector.metrics)
    assert complaint in str(error.value)
