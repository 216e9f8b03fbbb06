"""What a running session sends and records next, in batches of which each has a ticket.

Answers that the client may not see before a batch is durable are kept until then. So may be a batch itself, while
something is on its way whose outcome would make one event of an intent. What doesn't belong: what is sent and recorded,
and why (`flow.py` and the directions that share it).
"""

from __future__ import annotations

from collections import deque

from penstock_core.audit.event import Event
from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command
from penstock_sidecar.session.in_flight import Pending
from penstock_sidecar.session.progress import Progress
from penstock_sidecar.session.states import State

# So much of an answer is kept until its statement has ended and is on record: more than what looks something up is
# answered with, and little for each of a thousand sessions. What comes beyond is not read until then.
MOST_UNSEEN = 64 * 1024


class Outgoing(Progress):
    """The next answer of a session that runs."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        # The answers that are due.
        self.queue: deque[Pending] = deque()
        self.to_server: list[bytes] = []
        self.bodies: list[Event] = []
        # Whether the current batch of bodies is waited for.
        self.report = False
        self._ticket = 1
        # The last ticket that is durable, and the last that a statement's results wait for.
        self.durable = self.awaited = 0
        # The ticket whose batch may wait for outcomes, and whether it has waited long enough.
        self._postponed, self._due = 0, False
        # A moment has begun and is not over: one at a time, since most batches need none.
        self._moment = False
        # What may be seen, but has not been handed over.
        self._seen: list[bytes] = []
        # Of what may not: after which ticket it may, and how much there is.
        self._unseen: deque[tuple[int, bytes]] = deque()
        self.unseen_size = 0
        # Whether the client is between two messages of the server's, where it sees nothing of them yet.
        self.unseen_from_message = True

    @property
    def ticket(self) -> int:
        """The ticket of the batch that bodies go into now."""
        return self._ticket

    @property
    def unseen(self) -> bool:
        """Whether anything was answered that may not be seen yet."""
        return self.withholds and bool(self.unseen_size or self.to_client)

    @property
    def withholds(self) -> bool:
        """Whether what the server answers now may not be seen yet."""
        return self.awaited > self.durable

    def record(self, body: Event) -> None:
        """With the batch that goes out next."""
        self.bodies.append(body)

    def await_record(self, *, at_once: bool) -> None:
        """What is answered from now on is seen when all that was recorded is durable, which is seen to at once; or at
        the end of what is on its way, or after one moment or two.
        """
        if self.awaited != self._ticket:
            self._set_aside()
            self.awaited = self._ticket
        if at_once:
            self.report = True
            return
        self._postponed = self._ticket
        if not self._moment:
            self._begin_moment()

    def moment_over(self, ticket: int) -> None:
        """That batch has waited for outcomes long enough, if it is not gone; then a later one has a moment."""
        self._moment = False
        if self._postponed != self._ticket:
            return
        if ticket == self._ticket:
            self._due = True
        else:
            self._begin_moment()

    def _begin_moment(self) -> None:
        self._moment = True
        self.commands.append(commands.AwaitMoment(self._ticket))

    def recorded(self, ticket: int) -> None:
        """That batch and all before it are durable."""
        self.durable = max(self.durable, ticket)
        unseen = self._unseen
        while unseen and unseen[0][0] <= self.durable:
            data = unseen.popleft()[1]
            self.unseen_size -= len(data)
            self._seen.append(data)

    def drop_unseen(self) -> None:
        """What may not be seen yet never will be."""
        if self.withholds:
            self.to_client.clear()
            self._unseen.clear()
            self.unseen_size, self.awaited = 0, self.durable

    def _set_aside(self) -> None:
        """What was answered so far waits for no more than it does."""
        if not self.to_client:
            return
        if self.withholds:
            data = b"".join(self.to_client)
            self._unseen.append((self.awaited, data))
            self.unseen_size += len(data)
        else:
            self._seen += self.to_client
        self.to_client = []

    @property
    def _may_wait(self) -> bool:
        """Whether the batch of now is better handed over later."""
        if self._postponed != self._ticket or self.report or self._due:
            return False
        return bool(self.queue) and self.unseen_size <= MOST_UNSEEN

    def take(self) -> list[Command]:
        """The commands so far: records first, so that nothing that has to wait is sent before its intent was handed
        over.
        """
        taken = self.commands
        self.commands = []
        sends: list[Command] = []
        if self.to_client:
            self._set_aside()
        if self.bodies and not self._may_wait:
            sends.append(commands.Record(self._ticket, self.bodies, self.report or self._postponed == self._ticket))
            self.bodies = []
            self.report = self._due = False
            self._ticket += 1
        if self.to_server:
            data = self.to_server[0] if len(self.to_server) == 1 else b"".join(self.to_server)
            sends.append(commands.ToServer(data))
            self.to_server = []
        if self._seen:
            data = self._seen[0] if len(self._seen) == 1 else b"".join(self._seen)
            sends.append(commands.ToClient(data))
            self._seen = []
        return sends + taken if taken else sends
