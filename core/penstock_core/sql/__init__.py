"""From SQL text to a decision: parse, resolve against a catalog snapshot, classify, decide, rewrite, deparse.

What doesn't belong: which policies apply to whom (`penstock_core.policy`), talking to PostgreSQL (the sidecar).
"""
