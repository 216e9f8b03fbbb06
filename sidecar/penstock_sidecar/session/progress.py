"""Where a session is in the table of states, and the commands that its next answer will hold.

Every step is checked here. What a session that runs keeps beyond it is `flow.py`'s.
"""

from __future__ import annotations

from penstock_sidecar.session import commands
from penstock_sidecar.session.commands import Command
from penstock_sidecar.session.states import TABLE, Event, IllegalEventError, State


class Progress:
    """The state of one session, changed by `enter` alone."""

    def __init__(self, state: State = State.OPENING) -> None:
        # For others to read; and what may happen in it.
        self.state = state
        self._events = TABLE[state]
        self._event: Event | None = None
        self._before = state
        self._followers: set[State] = set()
        # What the next answer of the machine will hold.
        self.commands: list[Command] = []
        self.to_client: list[bytes] = []

    def happens(self, event: Event) -> None:
        """It is reported by the runtime. Raises IllegalEventError where it can't happen in this state."""
        followers = self._events.get(event)
        if followers is None:
            raise IllegalEventError(f"{event} can't happen while {self.state}")
        self._event, self._before, self._followers = event, self.state, followers

    def enter(self, state: State) -> None:
        """Take a step, to another state or back. Raises IllegalEventError where the table lacks it."""
        if self.state is State.CLOSED and state is not State.CLOSED:
            raise IllegalEventError(f"{self._event} leads from the end to {state}")
        self.state, self._events = state, TABLE[state]
        self.check()

    def check(self) -> None:
        """Raises IllegalEventError if the event that was reported must not leave the session in this state."""
        if self.state not in self._followers:
            raise IllegalEventError(f"{self._event} leads from {self._before} to {self.state}, which the table lacks")

    def take(self) -> list[Command]:
        """The commands so far."""
        taken, self.commands = self.commands, []
        said, self.to_client = self.to_client, []
        return [commands.ToClient(b"".join(said)), *taken] if said else taken
