"""The machine of one client session, sans-I/O: events in, commands out, states and legal events in one table.

What doesn't belong: framing (`penstock_sidecar.wire`), performing commands (`penstock_sidecar.proxy`), clocks.
"""
