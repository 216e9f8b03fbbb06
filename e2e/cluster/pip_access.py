"""How pip inside an image build reaches its index the way this machine does.

The machine's pip settings and certificates are mounted for the length of the build, so no Dockerfile needs to know of
them, and none of it stays in the image. Nothing here names an index: what the machine does not set is left to pip.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

CONFIGURATIONS = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
# Variables by which a machine says where its certificates are, the most specific to pip first.
CERTIFICATES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
INSIDE = "/etc/ssl/certs/ca-certificates.crt"
# Empty directories of the base image: mounting over what exists leaves nothing behind in the image.
MOUNT_POINTS = ("/mnt", "/media", "/srv")


def pip_access(scratch: Path) -> list[str]:
    """The volumes that give a build the machine's pip settings and certificates; `scratch` must outlive the build."""
    settings = _settings()
    certificates = next((path for path in _certificate_paths(settings) if path.is_file()), None)
    settings.pop("cert", None)
    volumes = []
    if certificates is not None:
        settings["cert"] = INSIDE
        volumes.append(f"{certificates.resolve()}:{INSIDE}:ro")
    links = [Path(place) for place in settings.pop("find-links", "").split() if place.startswith("/")]
    mounted = list(zip((path for path in links if path.is_dir() and any(path.iterdir())), MOUNT_POINTS, strict=False))
    if mounted:
        settings["find-links"] = " ".join(inside for _, inside in mounted)
        volumes += [f"{path}:{inside}:ro" for path, inside in mounted]
    if settings:
        written = configparser.RawConfigParser()
        written["global"] = settings
        with (scratch / "pip.conf").open("w") as file:
            written.write(file)
        volumes.append(f"{scratch / 'pip.conf'}:/etc/pip.conf:ro")
    return volumes


def _settings() -> dict[str, str]:
    """The machine's pip settings, in pip's own order: files first, the environment over them."""
    settings: dict[str, str] = {}
    own = os.environ.get("PIP_CONFIG_FILE")
    for name in [*CONFIGURATIONS, *([own] if own else [])]:
        found = configparser.RawConfigParser()
        found.read(Path(name).expanduser())
        for section in ("global", "install"):
            if found.has_section(section):
                settings.update(found.items(section))
    for name, value in os.environ.items():
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE" and value:
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    # These are about this machine's own installs, and would lead a build astray.
    for local in ("require-virtualenv", "target", "prefix", "user", "cache-dir", "log", "python", "build"):
        settings.pop(local, None)
    return settings


def _certificate_paths(settings: dict[str, str]) -> list[Path]:
    named = [settings.get("cert"), *(os.environ.get(name) for name in CERTIFICATES)]
    return [Path(name) for name in named if name]
