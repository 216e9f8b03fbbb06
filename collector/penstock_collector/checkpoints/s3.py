"""Checkpoints in a bucket of S3, or of what speaks its protocol: put where nothing has that name.

What doesn't belong: what is written (`keeper.py`).
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider
from minio.error import MinioException
from minio.signer import sign_v4_s3
from minio.time import to_amz_date
from urllib3.exceptions import HTTPError

from penstock_collector.checkpoint_settings import CheckpointSettings
from penstock_collector.checkpoints.place import PlaceError, another

_TIMEOUT_SECONDS = 60.0
_SIGNED_FOR = timedelta(minutes=5)


class _Files(Provider):
    """Keys from files, read each time, so that a secret may be replaced."""

    def __init__(self, access_key: Path, secret_key: Path) -> None:
        self._access_key = access_key
        self._secret_key = secret_key

    def retrieve(self) -> Credentials:
        return Credentials(self._access_key.read_text().strip(), self._secret_key.read_text().strip())


class S3Place:
    """One bucket, and what the names of files in it begin with."""

    def __init__(self, settings: CheckpointSettings) -> None:
        parts = urlsplit(settings.checkpoint_s3_url)
        _, self._bucket, *prefix = parts.path.rstrip("/").split("/")
        self._prefix = "".join(f"{part}/" for part in prefix)
        self._ca_file = settings.checkpoint_ca_file
        access, secret = settings.checkpoint_s3_access_key_file, settings.checkpoint_s3_secret_key_file
        # Of the pod's own role, or from the environment, where no files are given.
        self._provider: Provider = ChainedProvider([EnvAWSProvider(), IamAwsProvider()])
        if access is not None and secret is not None:
            self._provider = _Files(access, secret)
        self._region = settings.checkpoint_s3_region
        # Where the bucket is, by what the service is called.
        self._client = Minio(
            parts.netloc, secure=parts.scheme == "https", region=self._region, credentials=self._provider
        )

    def put(self, name: str, content: bytes) -> None:
        """Keep a file. Raises PlaceError."""
        where = f"{self._prefix}{name} in the bucket {self._bucket}"
        try:
            # Only https needs the system's authorities.
            context = ssl.create_default_context(cafile=self._ca_file)
            with httpx2.Client(verify=context, timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
                self._put(http, where, self._prefix + name, content)
        except (httpx2.HTTPError, MinioException, HTTPError, OSError, ValueError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise PlaceError(f"the checkpoint {where} cannot be written: {said}") from None

    def _put(self, http: httpx2.Client, where: str, key: str, content: bytes) -> None:
        # Not every server knows If-None-Match, so it is looked for first.
        if self._is_there(http, where, key, content):
            return
        headers = {
            "if-none-match": "*",
            "content-type": "application/json",
            # Asked for where objects are locked.
            "content-md5": base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode(),
        }
        url, headers = self._signed("PUT", key, content, headers)
        answer = http.put(url, content=content, headers=headers)
        if answer.status_code == 412:
            # It has come in between, or may be written and not read.
            if not self._is_there(http, where, key, content):
                raise PlaceError(f"the checkpoint {where} is there and cannot be compared: allow s3:GetObject")
        elif answer.status_code not in (200, 201, 204):
            raise PlaceError(f"the checkpoint {where} cannot be written: {_said(answer)}")

    def _is_there(self, http: httpx2.Client, where: str, key: str, content: bytes) -> bool:
        """Whether the file is there with this content. One that may not be read may not be there."""
        url, headers = self._signed("GET", key, b"", {})
        answer = http.get(url, headers=headers)
        if answer.status_code in (403, 404):
            return False
        if answer.status_code != 200:
            raise PlaceError(f"the checkpoint {where} cannot be looked for: {_said(answer)}")
        if answer.content != content:
            raise another(where)
        return True

    def _signed(self, method: str, key: str, content: bytes, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The URL, and the headers with a signature of all: of the content too, and good for no other request."""
        url = urlsplit(self._client.get_presigned_url(method, self._bucket, key, expires=_SIGNED_FOR))._replace(
            query=""
        )
        keys, now = self._provider.retrieve(), datetime.now(UTC)
        digest = hashlib.sha256(content).hexdigest()
        wanted = {**headers, "host": url.netloc, "x-amz-content-sha256": digest, "x-amz-date": to_amz_date(now)}
        if keys.session_token:
            wanted["x-amz-security-token"] = keys.session_token
        signed = sign_v4_s3(
            method=method, url=url, region=self._region, headers=dict(wanted), credentials=keys, content_sha256=digest,
            date=now,
        )  # fmt: skip
        return url.geturl(), {**wanted, "authorization": str(signed["Authorization"])}


def _said(answer: httpx2.Response) -> str:
    return f"{answer.status_code} {' '.join(answer.text[:300].split())}"
