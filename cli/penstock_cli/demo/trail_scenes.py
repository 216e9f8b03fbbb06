"""What else stands in the trail: a policy that observes for a while, a login that is refused, a gap that is declared.

What doesn't belong: statements (`scenes.py`), the trail of them all (`command.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from penstock_cli.collector_client import CollectorClient
from penstock_cli.demo.scenes import AGENT, ENFORCED, OBSERVED
from penstock_cli.demo.stage import SHIPPING_SECONDS, Stage
from penstock_cli.demo.telling import Telling

_SWITCHED = "The policy is switched to observe, and back"
_REFUSED = "A login with a token of yesterday"
_LOST = "The gate is killed, and its disk loses a block"
# So many zeros, where a block of the disk was.
_BLOCK = 64


def observe(telling: Telling) -> None:
    """Edit the policy's file, as somebody would: the gate takes it over, and the trail tells who changed what."""
    stage = telling.on_stage
    file = stage.directory / "support.yaml"
    enforced = file.read_text()
    _switch(stage, file, yaml.safe_dump(_observing(enforced), sort_keys=False), 2)
    telling.scene(OBSERVED)
    _switch(stage, file, enforced, 3)
    telling.scene(ENFORCED)
    telling.heading(_SWITCHED, "penstock audit export")
    changes = [change for event in _events(stage, "policy")[1:] for change in event["changes"]]
    found = _until(lambda: [one for one in _events(stage, "statement", "intent") if one.get("observed") == "rewrite"])
    told = [f"{one['decision']}, would be {one['observed']}: {one['sql'].splitlines()[0]}" for one in found]
    right = len(told) == 1 and [("observe" in change) for change in changes] == [True, True]
    telling.came(_SWITCHED, "\n".join([*changes, *told]), right=right, remark="Both changes are events of their own.")


def _observing(text: str) -> dict[str, Any]:
    policy: dict[str, Any] = yaml.safe_load(text)
    policy["spec"]["mode"] = "observe"
    return policy


def _switch(stage: Stage, file: Path, text: str, policies: int) -> None:
    """Until the trail has so many events of policies."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)
    _until(lambda: len(_events(stage, "policy")) >= policies)


def refuse_login(telling: Telling) -> None:
    """Somebody comes with a token that has expired."""
    stage = telling.on_stage
    telling.heading(_REFUSED, AGENT.name)
    said = stage.query(AGENT, "SELECT 1", stage.issuer.token(AGENT, timedelta(days=-1)))
    _until(lambda: [one for one in _events(stage, "login") if one["outcome"] == "refused"])
    listed = stage.audit("logins", "--outcome", "refused")
    text = f"{said}\n\npenstock audit logins --outcome refused\n{listed.stdout.strip()}{listed.stderr.strip()}"
    right = "expired" in said and "expired" in listed.stdout and "support-bot" in listed.stdout
    telling.came(_REFUSED, text, right=right, remark="Who it says it is, why it was refused, and from where.")


def lose(telling: Telling) -> None:
    """The next gate finds the damage, keeps it aside and says that something is lost."""
    stage = telling.on_stage
    telling.heading(_LOST, "kill -9")
    stage.query(AGENT, "SELECT count(*) FROM orders")
    spool = stage.gate.kill()
    segment = max(spool.glob("*.log"))
    with segment.open("r+b") as file:
        file.seek(segment.stat().st_size // 2)
        file.write(bytes(_BLOCK))
    stage.gate.start()
    _until(lambda: _events(stage, "loss"))
    export = stage.directory / "gap.jsonl"
    export.write_text(stage.audit("export").stdout)
    verified = stage.audit("verify", str(export))
    text = f"penstock audit verify {export.name}: status {verified.returncode}\n{verified.stdout}{verified.stderr}"
    right = verified.returncode == 3 and "spool damaged" in verified.stdout
    telling.came(
        _LOST, text.strip(), right=right, remark="The gap is declared: no fault of the trail, and never hidden."
    )


def _events(stage: Stage, *kinds: str) -> list[dict[str, Any]]:
    """Those of the gate's that the collector has, of these kinds."""
    with CollectorClient(stage.collector_url, stage.viewer_token_file, None) as client:
        events = [json.loads(line) for line in client.export()]
    return [one for one in events if one.get("kind") in kinds]


def _until(found: Callable[[], Any]) -> Any:
    """What is found, once anything is, or when it is late for it."""
    end = time.monotonic() + SHIPPING_SECONDS
    while not (there := found()) and time.monotonic() < end:
        time.sleep(0.2)
    return there
