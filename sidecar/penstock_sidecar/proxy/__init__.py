"""The asyncio runtime: listens, connects upstream, performs the session's commands, keeps policy and catalog fresh.

What doesn't belong: any decision about a message (`penstock_sidecar.session`) or a statement (`penstock_core.sql`).
"""
