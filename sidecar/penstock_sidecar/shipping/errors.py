"""Why an audit event could not be made durable. Each message is one line for the log and for the client's error."""

from __future__ import annotations


class SpoolError(RuntimeError):
    """The event is not recorded; what happens to its statement is the policy's business (`onFailure`)."""


class SpoolFull(SpoolError):
    """No room at the moment: the collector does not take events, or the disk is full or too slow."""


class SpoolBroken(SpoolError):
    """The spool cannot be used until somebody does something, or the process starts anew."""


class EventRefused(SpoolError):
    """This one event cannot be recorded, now or later; others can."""
