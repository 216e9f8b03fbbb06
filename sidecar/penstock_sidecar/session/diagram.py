"""The machine's table as a Mermaid state diagram, for the documentation.

`python -m penstock_sidecar.session.diagram` prints it. The table itself is in `states.py`.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from penstock_sidecar.session.states import TABLE, State


def mermaid() -> str:
    """The diagram's text: one arrow for each pair of states, labelled with the events that lead along it."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.OPENING}"]
    for state, events in TABLE.items():
        if state is State.CLOSED:
            continue
        arrows: dict[State, list[str]] = defaultdict(list)
        for event, followers in events.items():
            for follower in followers - {state}:
                arrows[follower].append(event.value)
        lines += [
            f"    {state} --> {follower}: {', '.join(arrows[follower])}" for follower in State if follower in arrows
        ]
    lines.append(f"    {State.CLOSED} --> [*]")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(mermaid())
