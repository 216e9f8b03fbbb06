"""`penstock check`: how SQL would be handled, and why, before anybody runs it.

What doesn't belong: deciding (`penstock_core.sql.governor`), reading catalogs (`penstock_cli.catalog_source`).
"""
