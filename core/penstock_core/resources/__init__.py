"""The custom resources as pydantic models, the source of the CRDs, and reading them from YAML with clear errors.

What doesn't belong: combining policies (`penstock_core.policy`), files and the API server (the runtimes).
"""
