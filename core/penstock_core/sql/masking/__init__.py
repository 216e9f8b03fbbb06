"""Which columns are masked, how masks spread to what derives from them, and the SQL that computes them.

What doesn't belong: walking through statements (`penstock_core.sql.bind`).
"""
