"""Audit events, their canonical bytes and the hash chain that makes a change of the record show.

What doesn't belong: spooling, shipping and storing events (`penstock_sidecar.shipping`, `penstock_collector`).
"""
