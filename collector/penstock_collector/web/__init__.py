"""The collector's HTTP: taking in events, pages, the JSON API, the live tail; and the rules all answers keep.

What doesn't belong: finding what is shown (`penstock_collector.search`), who may see it (`penstock_collector.auth`).
"""
