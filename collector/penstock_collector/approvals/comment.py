"""The words that go with a decision or an acknowledgement: people read them in a message, on a terminal or a page.

What doesn't belong: where they come from (`web/`).
"""

from __future__ import annotations

from penstock_core.approvals.standing import Decision, NotPossibleError

LONGEST = 1024


class BadCommentError(NotPossibleError):
    """A comment that is not taken; the text says why."""


def one_line(comment: str) -> str:
    """The comment in one line. Raises BadCommentError."""
    words = " ".join(comment.split())
    if len(words) > LONGEST:
        raise BadCommentError(f"the comment is longer than {LONGEST} characters; shorten it")
    if not words.isprintable():
        raise BadCommentError("the comment holds characters that do not show; write it as plain text")
    return words


def checked(comment: str, decision: Decision) -> str:
    """The comment of a decision, in one line. Raises BadCommentError."""
    words = one_line(comment)
    if decision == "denied" and not words:
        raise BadCommentError("a denial needs a comment: say why, the requester reads it")
    return words
