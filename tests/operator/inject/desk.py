"""Pods on their way through admission, as the tests of injection send them."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import jsonpatch

from penstock_operator.inject.admit import admit
from penstock_operator.inject.sidecar import Shape

Json = dict[str, Any]


def pod(**spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "web-",
            "annotations": {"penstock.dev/inject": "true", "penstock.dev/database": "shop"},
        },
        "spec": {"serviceAccountName": "web", "containers": [{"name": "web", "image": "web:1"}], **spec},
    }


def annotated(subject: Json, **annotations: str) -> Json:
    for name, value in annotations.items():
        subject["metadata"]["annotations"]["penstock.dev/" + name.replace("_", "-")] = value
    return subject


def review(subject: Any, namespace: str = "shop") -> Json:
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u-1", "namespace": namespace, "operation": "CREATE", "object": subject},
    }


class Desk:
    """The admission of one shop."""

    def __init__(self, shop: Any, shape: Shape) -> None:
        self.shop, self.shape = shop, shape

    def answer(self, subject: Any, namespace: str = "shop") -> Json:
        response: Json = admit(review(subject, namespace), self.shop, self.shape)["response"]
        assert response["uid"] == "u-1"
        return response

    def admitted(self, subject: Json) -> Json:
        """The pod after the patch."""
        before = copy.deepcopy(subject)
        response = self.answer(subject)
        assert response["allowed"], response
        assert subject == before, "the pod given is not touched"
        operations = json.loads(base64.b64decode(response.get("patch", "W10=")))
        after: Json = jsonpatch.apply_patch(subject, operations)
        return after

    def refusal(self, subject: Json, namespace: str = "shop") -> str:
        response = self.answer(subject, namespace)
        assert not response["allowed"]
        assert "patch" not in response
        message: str = response["status"]["message"]
        assert "\n" not in message
        return message
