"""The Kubernetes side: kopf controllers (`penstock operator`) and the stateless service `penstock control`.

What doesn't belong: the meaning of policies (`penstock_core`). The folder above must never get an `__init__.py`:
it would shadow Python's own `operator` module.
"""
