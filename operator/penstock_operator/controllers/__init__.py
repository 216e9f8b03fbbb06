"""What the operator does for each namespace: judge its resources, write their status, keep the CA where pods need it.

`resource_status.py` is pure; `namespaces.py` reads and writes; `handlers.py` is all that knows of kopf. What doesn't
belong: admission and the policy stream (`penstock_operator.control`), which go on when the operator is away.
"""
