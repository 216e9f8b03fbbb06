"""The collector's durable store: SQLite with one writer thread, and readers that never wait for it.

What doesn't belong: HTTP, who may read or write, what a page shows.
"""
