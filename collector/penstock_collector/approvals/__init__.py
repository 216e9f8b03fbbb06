"""Holding requests for approval: gates ask, people decide, webhooks are told.

What doesn't belong: the rules (`penstock_core.approvals`), the rows (`store/requests.py`), HTTP (`web/`).
"""
