"""The collector: takes in audit streams, keeps them durably, searches them, and shows them while they happen.

What doesn't belong: producing events (the sidecar), deciding anything about SQL.
"""
