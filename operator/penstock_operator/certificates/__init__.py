"""Our own certificate authority: making it, renewing with overlap, and bringing certificates to where they are needed.

`authority.py` and `rotation.py` are pure; `reconciler.py` reads and writes the cluster. What doesn't belong: serving
with a certificate (`penstock_operator.control`).
"""
