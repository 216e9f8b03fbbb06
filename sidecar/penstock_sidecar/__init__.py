"""The proxy between an application and PostgreSQL: as a sidecar in a pod, or as a stand-alone gateway.

`wire` frames bytes, `session` is the machine that says what becomes of each message (both sans-I/O), `proxy` performs
it with asyncio, `shipping` keeps and sends the audit trail. Deciding about SQL belongs in `penstock_core`.
"""
