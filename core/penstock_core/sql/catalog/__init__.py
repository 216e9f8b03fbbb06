"""What a database holds: the snapshot's model, the queries that fetch it, and what views and types derive from.

What doesn't belong: policies (`penstock_core.sql.masking`), sending the queries (the sidecar).
"""
