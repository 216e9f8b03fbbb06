"""The demo: a small shop in an embedded PostgreSQL, a gate and a collector on this machine, and a scripted session.

What doesn't belong: anything the product needs. The demo calls the same programs that a user would.
"""
