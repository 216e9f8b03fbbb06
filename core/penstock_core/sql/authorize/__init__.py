"""What of a bound text is allowed, and which edits mask it: one table of rules by kind of reference, for each access.

This is the only package that refuses what was understood. A kind of reference without a rule is refused.
What doesn't belong: what names mean (`penstock_core.sql.bind`), what masks compute (`penstock_core.sql.masking`).
"""
