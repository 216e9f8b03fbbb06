"""The file of webhooks: which are told of requests and alarms, and which when nobody decides.

What doesn't belong: reading the secrets that it names (`webhooks.py`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from penstock_core.resources.vocabulary import Duration, milliseconds

WebhookEvent = Literal[
    "made", "decided", "escalated", "emergency", "overdue", "reviewed", "alarm", "over", "acknowledged"
]
_EVENTS: dict[WebhookEvent, str] = {
    "made": "request.made",
    "decided": "request.decided",
    "escalated": "request.escalated",
    "emergency": "emergency.begun",
    "overdue": "review.overdue",
    "reviewed": "emergency.reviewed",
    "alarm": "alarm.raised",
    "over": "alarm.over",
    "acknowledged": "alarm.acknowledged",
}


class WebhookError(ValueError):
    """The file, or one that it names, is no good; the message is one line."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True)


class WebhookSettings(_Model):
    """One webhook."""

    # For the log; its URL may be a secret.
    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    # slack: `{"text": …}`. signed: JSON, signed as Standard Webhooks has it.
    form: Literal["slack", "signed"]
    url: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    # The URL in a file, where it is a secret.
    url_file: Path | None = None
    # The key of the signature: `whsec_` and base64.
    secret_file: Path | None = None
    events: tuple[WebhookEvent, ...] = tuple(_EVENTS)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give url or urlFile")
        if (self.secret_file is None) == (self.form == "signed"):
            raise ValueError("secretFile is for the form signed, which needs it")
        if self.url is not None and (trouble := trouble_with(self.url)):
            raise ValueError(trouble)
        return self

    @property
    def wanted(self) -> frozenset[str]:
        """The events it is told of."""
        return frozenset(_EVENTS[event] for event in self.events)


class EscalationSettings(_Model):
    """Who is told of a request that nobody has decided for a time."""

    after: Duration
    webhooks: Annotated[tuple[WebhookSettings, ...], Field(min_length=1, max_length=20)]

    @property
    def seconds(self) -> float:
        return milliseconds(self.after) / 1000


class NoticeSettings(_Model):
    """The whole file."""

    webhooks: Annotated[tuple[WebhookSettings, ...], Field(max_length=20)] = ()
    escalation: EscalationSettings | None = None


def trouble_with(url: str) -> str:
    """Why nothing may be sent there; "" if it may."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "the URL makes no sense"
    if parts.scheme not in ("http", "https") or not host:
        return "the URL begins with https:// and names a host"
    if parts.scheme == "http" and not _loopback(host):
        return "the URL begins with https://; http:// is for this machine alone"
    return ""


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read(path: Path) -> NoticeSettings:
    """Raises WebhookError."""
    try:
        content = yaml.safe_load(path.read_text())
        return NoticeSettings.model_validate(content if content is not None else {})
    except OSError as error:
        raise WebhookError(f"notices file {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise WebhookError(f"notices file {path}, {where}: {first['msg'].removeprefix('Value error, ')}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise WebhookError(f"notices file {path} is not YAML") from None
