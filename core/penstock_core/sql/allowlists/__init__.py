"""What may be named: functions, operators, settings, system relations, extensions, syntax nodes, statement kinds. Data.

What doesn't belong: rules that need more than a name to decide (`penstock_core.sql.authorize`).
"""
