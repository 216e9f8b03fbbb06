"""The walk through a statement: what it reads and writes, what of it is refused, and the edits that mask it.

What doesn't belong: what names mean (`penstock_core.sql.resolve`), what masks compute (`penstock_core.sql.masking`).
"""
