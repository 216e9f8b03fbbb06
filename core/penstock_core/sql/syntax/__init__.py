"""SQL text and syntax trees: tokens, parsing with bounds, printing, and the proof that a print means its tree.

What doesn't belong: what names mean (`penstock_core.sql.bind`), what is allowed (`penstock_core.sql.authorize`).
"""
