"""One-time tickets: short-lived logins for programs that can't present a token, made for whoever presented one.

What doesn't belong: keeping tickets (`penstock_collector`), making and taking them (`penstock_sidecar`).
"""
