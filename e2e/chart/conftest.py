"""Helm, where there may be no cluster yet, and what it makes of the chart."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.chart.rendering import CHART, Objects, Render
from e2e.environment import Environment
from e2e.kubectl import Kubectl


@pytest.fixture(scope="session")
def helm(environment: Environment) -> Kubectl:
    """The programs without a cluster."""
    return Kubectl(Path(os.devnull), tuple(environment.programs()))


@pytest.fixture(scope="session")
def rendered(helm: Kubectl) -> Render:
    """What would be applied with those options of Helm's and values, by kind and name."""

    def render(*options: str, **values: Any) -> Objects:
        given = [f"--set-json={name.replace('__', '.')}={json.dumps(value)}" for name, value in values.items()]
        text = helm.helm("template", "penstock", str(CHART), "--namespace", "penstock-system", *options, *given)
        documents = [document for document in yaml.safe_load_all(text) if document]
        return {(document["kind"], document["metadata"]["name"]): document for document in documents}

    return render
