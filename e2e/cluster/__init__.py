"""A throw-away, single-node, real Kubernetes on a Debian machine, without Docker: start, stop, build images for it.

It knows nothing of Penstock, so that what is tested on it stays honest; and it needs nothing but Python, so that it
runs before the project is installed. The end-to-end tests themselves belong beside this package, not in it.
"""
