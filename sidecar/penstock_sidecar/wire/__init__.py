"""The PostgreSQL wire protocol, 3.0 and 3.2, sans-I/O: bytes to messages and messages to bytes.

What doesn't belong: what a message means for a session (`penstock_sidecar.session`), sockets (`…proxy`).
"""
