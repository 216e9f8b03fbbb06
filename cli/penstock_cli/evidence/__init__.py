"""`penstock audit evidence`: a folder for auditors, of an export and what it was checked against.

`command.py` is the command, `bundle.py` the folder with its checksums, `listing.py` the tables' rows in order,
`page.py` the page that people read first. What doesn't belong: what the events come to (`penstock_core.evidence`).
"""
