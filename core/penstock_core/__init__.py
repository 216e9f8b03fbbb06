"""The pure core of Penstock: resources, policy, SQL decisions, audit events.

Everything here is a function of its arguments: no sockets, files, clocks or threads (import-linter keeps it so).
Whoever calls passes the time, ids and catalog snapshots in. What performs I/O belongs in the sidecar, the operator,
the collector or the cli.
"""
