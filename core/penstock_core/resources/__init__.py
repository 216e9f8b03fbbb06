"""The resources a person writes: Database, DatabaseAccessPolicy, AccessRequest, and how they are read and checked.

The pydantic models are the only source: the CRDs under `crds/` are generated from them, and their docstrings are what
`kubectl explain` shows. What doesn't belong: reading files or talking to a cluster (the runtimes do), and what policies
come to for an identity (`penstock_core.policy`).
"""

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.access_request import AccessRequest
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.checks import check
from penstock_core.resources.database import Database
from penstock_core.resources.doubts import doubts
from penstock_core.resources.loading import load, parse
from penstock_core.resources.problems import Problem, ResourceError

__all__ = [
    "AccessRequest",
    "Bundle",
    "Database",
    "DatabaseAccessPolicy",
    "Problem",
    "ResourceError",
    "check",
    "doubts",
    "load",
    "parse",
]
