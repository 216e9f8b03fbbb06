"""Which policies apply to an identity, and the one policy that they make when combined.

What doesn't belong: reading YAML (`penstock_core.resources`), anything about SQL text (`penstock_core.sql`).
"""
