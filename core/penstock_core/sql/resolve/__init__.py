"""What names mean at one place of a statement: scopes, relations by search path, names of output columns.

What doesn't belong: whether they may be used (`penstock_core.sql.analysis`).
"""
