"""The environment as the chart sets it, and as it should not be."""

from __future__ import annotations

import json

import pytest
import trustme
from pydantic import ValidationError

from penstock_operator.settings import ControlSettings, OperatorSettings, SettingsError, wrong_settings


@pytest.fixture
def chart(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "NAMESPACE": "penstock-system",
        "URL": "https://penstock-control.penstock-system.svc:8443",
        "COLLECTOR_URL": "https://penstock-collector.penstock-system.svc:8080",
        "SIDECAR": json.dumps({"image": "i:1", "run_as_user": None, "resources": {"limits": {"cpu": "1"}}}),
    }.items():
        monkeypatch.setenv(f"PENSTOCK_CONTROL_{name}", value)
    return monkeypatch


def test_control_is_told_by_the_environment(chart: pytest.MonkeyPatch) -> None:
    settings = ControlSettings()
    assert settings.namespace == "penstock-system"
    assert settings.sidecar.run_as_user is None
    assert settings.sidecar.resources.limits == {"cpu": "1"}


def test_issuers_reach_a_sidecar_as_they_are_written(chart: pytest.MonkeyPatch) -> None:
    assert ControlSettings().sidecar.issuers_json == ""
    issuer = {"issuer": "https://i", "audience": "a", "kind": "person", "delegation": {"agents": ["bot"]}}
    issuer["ca"] = trustme.CA().cert_pem.bytes().decode()
    chart.setenv("PENSTOCK_CONTROL_SIDECAR", json.dumps({"image": "i:1", "issuers": [issuer], "login": "oauthbearer"}))
    sidecar = ControlSettings().sidecar
    assert (json.loads(sidecar.issuers_json), sidecar.login) == ([issuer], "oauthbearer")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"jwksFile": "keys.json"}, "a sidecar has no files for issuers: leave out jwksfile"),
        ({"caFile": "ca.crt"}, "leave out jwksfile, and give ca in place of cafile"),
        ({"ca": "ca.crt"}, "ca is to be certificates, in pem"),
        ({"kind": "robot"}, "PENSTOCK_CONTROL_SIDECAR__ISSUERS__0__KIND: "),
    ],
)
def test_an_issuer_that_no_sidecar_can_use(chart: pytest.MonkeyPatch, change: dict[str, str], words: str) -> None:
    issuer = {"issuer": "https://i", "audience": "a", "kind": "person", **change}
    chart.setenv("PENSTOCK_CONTROL_SIDECAR", json.dumps({"image": "i:1", "issuers": [issuer]}))
    with pytest.raises(ValidationError) as caught:
        ControlSettings()
    assert words in wrong_settings(caught.value)


def test_what_is_wrong_is_named_as_the_variable(chart: pytest.MonkeyPatch) -> None:
    chart.setenv("PENSTOCK_CONTROL_URL", "http://plain")
    chart.setenv("PENSTOCK_CONTROL_SIDECAR", json.dumps({"image": "", "colour": "blue"}))
    with pytest.raises(ValidationError) as caught:
        ControlSettings()
    message = wrong_settings(caught.value)
    assert "\n" not in message
    for variable in ("PENSTOCK_CONTROL_URL", "PENSTOCK_CONTROL_SIDECAR__IMAGE", "PENSTOCK_CONTROL_SIDECAR__COLOUR"):
        assert f"{variable}: " in message


def test_the_operator_needs_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_OPERATOR_NAMESPACE", raising=False)
    with pytest.raises(ValidationError) as caught:
        OperatorSettings()
    assert wrong_settings(caught.value) == "PENSTOCK_OPERATOR_NAMESPACE: field required"


@pytest.mark.parametrize(
    ("minutes", "problem"), [("9", "it must be 0 or at least 10"), ("-1", "greater than or equal")]
)
def test_a_period_that_gates_can_not_tell_of_is_refused(
    minutes: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_OPERATOR_NAMESPACE", "penstock-system")
    assert OperatorSettings().quiet_minutes == 60
    monkeypatch.setenv("PENSTOCK_OPERATOR_QUIET_MINUTES", "0")
    assert OperatorSettings().quiet_minutes == 0
    monkeypatch.setenv("PENSTOCK_OPERATOR_QUIET_MINUTES", minutes)
    with pytest.raises(ValidationError) as caught:
        OperatorSettings()
    assert "PENSTOCK_OPERATOR_QUIET_MINUTES: " in wrong_settings(caught.value)
    assert problem in wrong_settings(caught.value)


def test_a_variable_that_is_not_json_is_named(chart: pytest.MonkeyPatch) -> None:
    chart.setenv("PENSTOCK_CONTROL_SIDECAR", "{")
    with pytest.raises(SettingsError) as caught:
        ControlSettings()
    assert wrong_settings(caught.value) == (
        'error parsing value for field "sidecar" from source "EnvSettingsSource": it must be JSON'
    )
