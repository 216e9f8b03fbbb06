"""`penstock control`: admission, the stream of policies to the sidecars, and requests for approval, over HTTPS.

Stateless: each replica follows the resources by itself, so any number of them say the same. What doesn't belong: the
shape of a pod (`penstock_operator.inject`), status and certificates (the operator).
"""
