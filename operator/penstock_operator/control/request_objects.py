"""An AccessRequest as an object to be made: its name, its labels, where it is.

What doesn't belong: reading them (`kept_requests.py`).
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from penstock_core.approvals.asking import Asking
from penstock_core.resources.model import API_VERSION
from penstock_operator.cluster.watch import Json
from penstock_operator.objects import GROUP_PATH, REQUESTS

# Without letters and digits that are taken for one another when said or read.
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_LONGEST_LABEL = 63


def name_of(digest: str, before: str) -> str:
    """Short enough to be said. It follows from what is asked for and from the request that was made for it before, so
    that two who are asked the same at once make one object.
    """
    number = int.from_bytes(hashlib.sha256(f"{digest}/{before}".encode()).digest()[:16])
    letters = []
    for _ in range(8):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return f"r-{''.join(letters[:4])}-{''.join(letters[4:])}"


def path_of(namespace: str, name: str = "") -> str:
    """Where the namespace's requests are, or one of them."""
    path = f"{GROUP_PATH}/namespaces/{namespace}/{REQUESTS}"
    return f"{path}/{name}" if name else path


def document_of(name: str, namespace: str, asking: Asking, now: datetime) -> Json:
    """The object to make."""
    held, workload = asking.held_by, asking.requester.workload
    labels = {
        "app.kubernetes.io/managed-by": "penstock-control",
        "penstock.dev/database": asking.database_ref.name,
        "penstock.dev/policy": held.policy,
        "penstock.dev/approval": held.approval,
        "penstock.dev/service-account": "" if workload is None else workload.service_account,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "AccessRequest",
        "metadata": {
            "name": name,
            "namespace": namespace,
            # Names of objects may be longer than labels.
            "labels": {key: value for key, value in labels.items() if len(value) <= _LONGEST_LABEL},
        },
        "spec": asking.spec(now).model_dump(mode="json", by_alias=True, exclude_none=True),
    }
