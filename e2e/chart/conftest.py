"""Helm, where there may be no cluster yet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from e2e.environment import Environment
from e2e.kubectl import Kubectl


@pytest.fixture(scope="session")
def helm(environment: Environment) -> Kubectl:
    """The programs without a cluster."""
    return Kubectl(Path(os.devnull), tuple(environment.programs()))
