"""Requests for approval, as pure functions: what one is bound to, who may decide it, what becomes of it.

Whoever holds requests (the API server, the collector) keeps to these rules. When a statement is held is
`penstock_core.policy`'s; keeping, asking and telling are I/O and belong to the programs.
"""
