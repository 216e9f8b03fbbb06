"""Rules of a policy about what a statement may do, whatever it reads: one module each.

What doesn't belong: masks (`penstock_core.sql.masking`).
"""
