"""The admission desk of one shop."""

from __future__ import annotations

from typing import Any

import pytest
from tests.operator.inject.desk import Desk

from penstock_operator.inject.sidecar import Shape


@pytest.fixture
def desk(shop: Any, shape: Shape) -> Desk:
    return Desk(shop, shape)
