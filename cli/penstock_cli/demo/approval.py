"""The held DELETE: an agent asks, somebody approves it on the page, it runs once, and the trail has who asked and who
approved; and what the agent does about the next one while the demo is left running.

What doesn't belong: how the page is used (`page.py`), the statement itself (`scenes.py`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock_cli.demo.page import Page, PageError, standing
from penstock_cli.demo.scenes import AGAIN, AGENT, APPROVED, APPROVER, HELD, PAT, request_in
from penstock_cli.demo.stage import SHIPPING_SECONDS, Stage
from penstock_cli.demo.telling import Telling
from penstock_core.audit.event import BEGINS, ENDS

_APPROVING = f"{APPROVER.subject} approves it on the page"
_EVENT = "Its event in the trail"


def play(telling: Telling) -> None:
    """From the DELETE that is held to its event in the trail."""
    request = request_in(telling.scene(HELD))
    _approve(telling, request)
    telling.scene(APPROVED)
    _tell_event(telling, request)


def play_again(telling: Telling) -> str:
    """The name of the request that waits at the end."""
    return request_in(telling.scene(AGAIN))


def _approve(telling: Telling, request: str) -> None:
    """As a person does, by the page's own forms."""
    stage = telling.on_stage
    telling.heading(_APPROVING, f"{APPROVER.name}, one of the {APPROVER.groups[0]}")
    try:
        with Page(stage.collector_url) as page:
            page.sign_in(stage.page_token)
            shown = page.decide(request, "approved")
    except PageError as error:
        telling.came(_APPROVING, str(error), right=False)
        return
    right = HELD.sql in shown and standing(stage.collector_url, stage.viewer_token, request) == "approved"
    lines = f"{stage.collector_url}/requests/{request}\nshows {HELD.sql}\napproved by {APPROVER.subject}"
    telling.came(_APPROVING, lines, right=right, remark="Neither the agent nor pat, whom it acts for, could do that.")


def _tell_event(telling: Telling, request: str) -> None:
    telling.heading(_EVENT, "penstock audit export")
    found = _those_that_ran(telling.on_stage, request)
    if len(found) != 1:
        telling.came(_EVENT, f"{len(found)} events tell that it ran", right=False)
        return
    intent, outcome = found[0]
    identity, grant = intent["identity"], intent["approvals"][0]
    chain = ", for ".join(_party(one) for one in (identity["principal"], *identity.get("actsFor", ())))
    shown = {
        "requester": identity["name"],
        "chain": chain,
        "approver": f"{grant['decidedBy']}, {grant['decidedAt']}",
        "request": f"{grant['request']}, by {grant['policy']}, {grant['rule']}",
        "statement": intent["sql"],
        "outcome": f"{outcome['result']}, {outcome['rows']} row",
    }
    right = (
        (identity["name"], grant["decidedBy"], outcome["result"], outcome["rows"])
        == (AGENT.name, APPROVER.subject, "ok", 1)
    ) and identity["actsFor"][-1]["subject"] == PAT.subject
    text = "\n".join(f"{name:9}  {value}" for name, value in shown.items())
    telling.came(_EVENT, text, right=right, remark="Who asked, for whom, and who approved it: one sealed event.")


def _party(one: Mapping[str, Any]) -> str:
    return f"{one['kind']} {one['subject']} ({', '.join(one['groups'])})"


def _those_that_ran(stage: Stage, request: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Intents that a request's approval let run, each with its outcome, once they have come to the collector."""
    end = time.monotonic() + SHIPPING_SECONDS
    while True:
        lines = stage.audit("export").stdout.splitlines()
        events = [one for line in lines if "export" not in (one := json.loads(line))]
        outcomes = {(one["session"], one["statement"]): one for one in events if one["kind"] in ENDS}
        granted = [
            (one, outcomes[place])
            for one in events
            if one["kind"] in BEGINS and (place := (one["session"], one["statement"])) in outcomes
            for each in one.get("approvals", ())
            if (each["standing"], each.get("request")) == ("granted", request)
        ]
        if granted or time.monotonic() > end:
            return granted
        time.sleep(0.3)


@dataclass(slots=True)
class Waiting:
    """The agent, while its request waits: it looks how that stands, and then runs its statement again."""

    stage: Stage
    request: str

    def look(self) -> str:
        """What came of it, in one line; empty as long as nothing did."""
        stage, request = self.stage, self.request
        stands = standing(stage.collector_url, stage.viewer_token, request) if request else ""
        if stands in ("", "waiting"):
            return ""
        answer = stage.query(AGENT, AGAIN.sql)
        # Held anew where the policy was changed meanwhile, or the time was over.
        self.request = request_in(answer) if request_in(answer) != request else ""
        first = answer.splitlines()[0] if answer else "no answer"
        return f"{request} {stands}; the agent ran it again: {first}"
