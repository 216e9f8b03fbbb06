"""Evidence for auditors: what the events of a period come to, as tables, and which criteria each table speaks to.

`summary.py` takes events and gives rows; `tables.py` defines the tables, `criteria.py` what they are evidence of.
What doesn't belong: whether the trail is whole (`penstock_core.audit.verify`), files (`penstock_cli.evidence`).
"""
