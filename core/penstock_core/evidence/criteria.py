"""Which criteria the tables are evidence for: the Trust Services Criteria of a SOC 2 report, in words of our own.

What doesn't belong: an opinion. Whether a criterion is met is the auditor's to say, and takes more than this.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion, how the trail bears on it, in which tables to look, and what they do not show."""

    code: str
    about: str
    shows: str
    tables: tuple[str, ...]
    lacks: str


# AICPA, Trust Services Criteria (2017, points of focus of 2022), common criteria 6 to 8, and confidentiality.
CRITERIA = (
    Criterion(
        "CC6.1", "Access to protected information is restricted",
        "Every statement is decided by policies for a verified identity; refusals and masks show that they work.",
        ("access", "masks", "refusals"),
        "What somebody reads with the database's own password, past the gate: the table of sessions around it says when"
        " there were any from the gate's own address; others are the network's to keep out.",
    ),
    Criterion(
        "CC6.2", "Who gets in is known, and was let in",
        "Each identity that had access, how it was proved, and each login that was refused.",
        ("identities", "logins-refused"),
        "That somebody's registration was approved, and ended in time: that is in the identity provider.",
    ),
    Criterion(
        "CC6.3", "Access follows roles and is changed deliberately",
        "Which policies were in force at each moment, and what each change of them changed.",
        ("policies", "identities"),
        "Who changed them: the API server's audit log, or the repository that they are applied from.",
    ),
    Criterion(
        "CC6.7", "Information that leaves is restricted",
        "Masked values are made in the database and never leave it; who read which masked column is listed.",
        ("masks", "access"),
        "What an application does with the rows that it was given.",
    ),
    Criterion(
        "CC7.2", "Systems are monitored for what should not happen",
        "The trail is whole, or says where it is not; what was refused, and sessions around the gate, are on record.",
        ("missing", "refusals", "logins-refused", "around"),
        "That somebody looked: the readings say who searched the trail, not what they made of it.",
    ),
    Criterion(
        "CC7.3", "Events are looked at and decided",
        "Who read the trail and when; each emergency with all that ran by it.",
        ("readings", "emergencies"),
        "What was concluded: that is in the tickets of those who looked.",
    ),
    Criterion(
        "CC8.1", "Changes are authorized",
        "Each change of the schema and of rights, and each statement that was held, with who approved it.",
        ("changes", "approvals"),
        "Changes of the applications' own code.",
    ),
    Criterion(
        "C1.1", "Confidential information is identified and protected",
        "The columns that policies call confidential, as masked for each identity.",
        ("masks",),
        "Columns that no policy names.",
    ),
)  # fmt: skip
