"""`penstock control` and `penstock operator` without what they need: one line, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from penstock_cli import control, operator


def test_missing_settings_are_named_as_variables() -> None:
    result = CliRunner(env={"PENSTOCK_CONTROL_NAMESPACE": "x"}).invoke(control.command)
    assert result.exit_code == 1
    assert result.output.startswith("Error: PENSTOCK_CONTROL_SIDECAR: field required; PENSTOCK_CONTROL_URL:")
    assert result.output.count("\n") == 1


def test_without_an_api_server_there_is_nothing_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    environment = {"PENSTOCK_OPERATOR_NAMESPACE": "x", "KUBECONFIG": str(tmp_path / "none")}
    result = CliRunner(env=environment).invoke(operator.command)
    assert result.exit_code == 1
    assert result.output.startswith("Error: no Kubernetes API server: this is not a pod")
    assert result.output.count("\n") == 1
