"""The command line, `penstock …` and `kubectl penstock …`: one module a command group, thin over the other parts.

What doesn't belong: logic. A command parses its flags, calls a part (imported only when the command runs) and prints.
"""
