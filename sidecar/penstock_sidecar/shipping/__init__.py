"""The audit spool (durable, group-committed, bounded) and the shipper that brings it to the collector.

What doesn't belong: what an event says (`penstock_core.audit`).
"""
