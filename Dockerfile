# One image with every program: `penstock control`, `operator`, `collector`, `proxy`. Any base with Python 3.11 or newer
# and its venv module; no syntax that only one builder knows.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM $BASE_IMAGE AS build
# Empty: nothing is compiled, and no compiler needed (on a base that is no Debian, it would have to be there).
ARG PENSTOCK_COMPILED=1
WORKDIR /src
# The compiler stays in this stage.
RUN if [ -n "$PENSTOCK_COMPILED" ]; then \
      apt-get update -qq \
      && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev python3-dev; \
    fi
COPY requirements/runtime.lock requirements/compiled.lock requirements/
RUN python3 -m venv /opt/penstock \
 && /opt/penstock/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
      -r requirements/runtime.lock ${PENSTOCK_COMPILED:+-r requirements/compiled.lock}
COPY pyproject.toml hatch_build.py README.md LICENSE ./
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
      hatchling editables tomlkit trove-classifiers pathspec pluggy mypy mypy-extensions librt ast-serialize \
      setuptools pip
# So is what no program of ours runs; what is left has to start.
COPY .ci/prune.py .ci/
RUN python3 .ci/prune.py /opt/penstock

FROM $BASE_IMAGE
COPY --from=build /opt/penstock /opt/penstock
# HOME: some libraries ask for it, and the user has none in /etc/passwd.
ENV PATH=/opt/penstock/bin:/usr/local/bin:/usr/bin:/bin HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["penstock"]
