"""How the operator and `control` speak with the Kubernetes API server: where it is, requests, lists and watches.

What doesn't belong: what is asked of it and what the answers mean.
"""
