"""What a running session sends and records next, in batches of which each has a ticket.

What doesn't belong: what is sent and recorded, and why (`flow.py` and the directions that share it).
"""

from __future__ import annotations

from penstock_core.audit.event import Event
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.states import State


class Outgoing(Progress):
    """The next answer of a session that runs."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.to_server: list[bytes] = []
        self.bodies: list[Event] = []
        # Whether the current batch of bodies is waited for.
        self.report = False
        self._ticket = 1
        # The last ticket that is durable, and the last that a statement's results wait for.
        self.durable = self.awaited = 0

    @property
    def ticket(self) -> int:
        """The ticket of the batch that bodies go into now."""
        return self._ticket

    def record(self, body: Event) -> None:
        """With the batch that goes out next."""
        self.bodies.append(body)

    def take(self) -> list[Command]:
        """The commands so far: records first, so that nothing is sent before its intent was handed over."""
        taken = self.commands
        self.commands = []
        sends: list[Command] = []
        if self.bodies:
            sends.append(commands.Record(self._ticket, self.bodies, self.report))
            self.bodies = []
            self.report = False
            self._ticket += 1
        if self.to_server:
            data = self.to_server[0] if len(self.to_server) == 1 else b"".join(self.to_server)
            sends.append(commands.ToServer(data))
            self.to_server = []
        if self.to_client:
            data = self.to_client[0] if len(self.to_client) == 1 else b"".join(self.to_client)
            sends.append(commands.ToClient(data))
            self.to_client = []
        return sends + taken if taken else sends
