# One image with every program: `penstock control`, `operator`, `collector`, `proxy`. Any base with Python 3.11 or newer
# and its venv module; no syntax that only one builder knows.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM $BASE_IMAGE AS build
WORKDIR /src
COPY requirements/runtime.lock requirements/runtime.lock
RUN python3 -m venv /opt/penstock \
 && /opt/penstock/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r requirements/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY entrance entrance
COPY operator operator
COPY sidecar sidecar
COPY collector collector
COPY agents agents
COPY cli cli
# What builds and installs is taken out again.
RUN /opt/penstock/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
 && /opt/penstock/bin/pip uninstall --yes --quiet --disable-pip-version-check \
      hatchling editables tomlkit trove-classifiers pathspec pluggy setuptools pip

FROM $BASE_IMAGE
COPY --from=build /opt/penstock /opt/penstock
# HOME: some libraries ask for it, and the user has none in /etc/passwd.
ENV PATH=/opt/penstock/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["penstock"]
