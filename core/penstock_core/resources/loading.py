"""From YAML text, or from an object of the API server, to resources, with every problem found named by its place.

How YAML itself is read is in `yaml_text.py`; opening files is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.access_request import AccessRequest
from penstock_core.resources.database import Database
from penstock_core.resources.model import API_VERSION
from penstock_core.resources.problems import Location, Problem, ResourceError, findings, path, shown, suggestion
from penstock_core.resources.schema import structural
from penstock_core.resources.unsupported import unsupported_in
from penstock_core.resources.yaml_text import YamlFault, documents

AnyResource = Database | DatabaseAccessPolicy | AccessRequest

KINDS: Mapping[str, type[AnyResource]] = {
    "Database": Database,
    "DatabaseAccessPolicy": DatabaseAccessPolicy,
    "AccessRequest": AccessRequest,
}


def load(text: str, file: str, namespace: str = "default") -> list[AnyResource]:
    """The resources of a YAML text with any number of documents; raises ResourceError with all problems of all of them.

    `file` is what messages call the text; `namespace` is where resources are that name none.
    """
    resources: list[AnyResource] = []
    problems: list[Problem] = []
    for document in documents(text):
        if isinstance(document, YamlFault):
            problems.append(Problem(document.message, path(document.location), file, document.line))
            continue
        found, wrong = _read(document.value, namespace)
        title = _title(document.value, namespace)
        places = [fault.location for fault in document.faults]
        problems += [Problem(fault.message, path(fault.location), file, fault.line, title) for fault in document.faults]
        # What is wrong where the YAML itself was not taken only follows from that.
        problems += [
            Problem(message, path(location), file, document.line_of(location), title)
            for location, message in wrong
            if not _within(location, places)
        ]
        if found is not None:
            resources.append(found)
    if problems:
        raise ResourceError(sorted(problems, key=lambda problem: problem.line))
    return resources


def parse(document: Mapping[str, object], namespace: str = "default") -> AnyResource:
    """The resource in an object as the API server has it; raises ResourceError with all problems."""
    data = dict(document)
    resource, wrong = _read(data, namespace)
    if resource is None or wrong:
        title = _title(data, namespace)
        raise ResourceError(Problem(message, path(location), resource=title) for location, message in wrong)
    return resource


def _read(data: object, namespace: str) -> tuple[AnyResource | None, list[tuple[Location, str]]]:
    """The resource, if it is valid, and all that is wrong or not supported."""
    if not isinstance(data, dict):
        return None, [((), "must be a resource with apiVersion, kind, metadata and spec")]
    wrong = _identified(data)
    if wrong:
        return None, wrong
    model = KINDS[str(data["kind"])]
    unsupported = list(unsupported_in(data))
    metadata = data.get("metadata")
    if isinstance(metadata, dict) and metadata.get("namespace") is None:
        data = data | {"metadata": metadata | {"namespace": namespace}}
    try:
        return model.model_validate(data), unsupported
    except ValidationError as error:
        found = findings(error, structural(model))
    # Whether a value is good for a field that is not there yet is of no use to anybody.
    places = [place for place, _ in unsupported]
    return None, [one for one in found if not _within(one[0], places)] + unsupported


def _within(location: Location, places: list[Location]) -> bool:
    return any(location[: len(place)] == place for place in places)


def _identified(data: dict[str, object]) -> list[tuple[Location, str]]:
    """What is wrong with apiVersion and kind, without which nothing else can be judged."""
    wrong: list[tuple[Location, str]] = []
    checks: tuple[tuple[str, Callable[[object], bool], tuple[str, ...]], ...] = (
        ("apiVersion", lambda value: value == API_VERSION, (API_VERSION,)),
        ("kind", lambda value: isinstance(value, str) and value in KINDS, tuple(KINDS)),
    )
    for field, known, names in checks:
        value = data.get(field)
        if value is None:
            wrong.append(((field,), f"is missing; it must be {' or '.join(names)}"))
        elif not known(value):
            hint = suggestion(value, names) or f"; it must be {' or '.join(names)}"
            wrong.append(((field,), f"{shown(value)} is not known{hint}"))
    return wrong


def _title(data: object, namespace: str) -> str:
    if not isinstance(data, dict):
        return ""
    metadata = data.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    kind, name = shown(data.get("kind", "resource")), shown(names.get("name", "?"))
    return f"{kind} {shown(names.get('namespace') or namespace)}/{name}"
