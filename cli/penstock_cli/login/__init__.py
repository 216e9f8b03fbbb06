"""Logging in to an issuer of tokens, and keeping what it gave.

What doesn't belong: what a token is good for (`penstock_sidecar.proxy`), going to a gate with it (`connect`).
"""
