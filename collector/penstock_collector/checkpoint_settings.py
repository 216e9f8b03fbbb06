"""How signed checkpoints are made: settings `PENSTOCK_COLLECTOR_CHECKPOINT_…` (docs/verify.md).

What doesn't belong: making them (`penstock_collector.checkpoints`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_PLACES = ("checkpoint_directory", "checkpoint_git_url", "checkpoint_s3_url")
_S3_PATH = re.compile(r"/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]+)*/?")


def _git_url(value: str) -> str:
    parts = urlsplit(value)
    if not value or (parts.scheme == "file" and parts.path.startswith("/")):
        return value
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("must be https://HOST/REPOSITORY, without user and password, or file:///REPOSITORY")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https: the password would be readable on its way")
    return value


def _s3_url(value: str) -> str:
    parts = urlsplit(value)
    if not value:
        return value
    known = parts.scheme in ("https", "http") and bool(parts.hostname) and bool(_S3_PATH.fullmatch(parts.path))
    if not known or parts.username or parts.query or parts.fragment:
        raise ValueError("must be https://HOST/BUCKET, or https://HOST/BUCKET/PREFIX")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must be https, so that nobody on the way can change what is read back")
    return value


def _branch(value: str) -> str:
    if not _BRANCH.fullmatch(value) or ".." in value or value.endswith(("/", ".lock")):
        raise ValueError("must be a branch's name")
    return value


class CheckpointSettings(BaseSettings):
    """The settings of checkpoints; without a key there are none."""

    # The private key (Ed25519, PEM) that signs them.
    checkpoint_key_file: Path | None = None
    # A directory that they are written to: a volume that this program can add to, and not take away from.
    checkpoint_directory: Path | None = None
    # Or a Git repository that they are pushed to, each a commit on a branch that nobody may rewrite.
    checkpoint_git_url: Annotated[str, AfterValidator(_git_url)] = ""
    checkpoint_git_branch: Annotated[str, AfterValidator(_branch)] = "main"
    checkpoint_git_user: str = ""
    checkpoint_git_password_file: Path | None = None
    # Or a bucket, with its host and what names in it begin with: https://s3.eu-central-1.amazonaws.com/BUCKET/PREFIX.
    checkpoint_s3_url: Annotated[str, AfterValidator(_s3_url)] = ""
    checkpoint_s3_region: str = "us-east-1"
    # Empty: the environment's AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of the pod or machine.
    checkpoint_s3_access_key_file: Path | None = None
    checkpoint_s3_secret_key_file: Path | None = None
    # The authority of the place's certificate, in place of the system's.
    checkpoint_ca_file: Path | None = None
    checkpoint_minutes: Annotated[float, Field(gt=0)] = 15.0

    @model_validator(mode="after")
    def _key_and_one_place(self) -> CheckpointSettings:
        places = [name for name in _PLACES if getattr(self, name)]
        if self.checkpoint_key_file is not None and not places:
            raise ValueError(f"checkpoint_key_file needs a place for checkpoints: {' or '.join(_PLACES)}")
        if places and self.checkpoint_key_file is None:
            raise ValueError(f"{places[0]} needs checkpoint_key_file, the key that signs them")
        if (self.checkpoint_s3_access_key_file is None) != (self.checkpoint_s3_secret_key_file is None):
            raise ValueError(
                "checkpoint_s3_access_key_file and checkpoint_s3_secret_key_file come together or not at all"
            )
        if len(places) > 1:
            raise ValueError(f"checkpoints have one place, not {' and '.join(places)}")
        return self
