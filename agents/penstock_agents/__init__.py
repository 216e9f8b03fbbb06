"""The MCP server: through it an AI agent uses a database behind a gate, with its person in the chain.

`tools/` is what an agent reads and sends, without I/O; `gate/` the session at the gate; `serving/` how clients reach it
all, by stdio or HTTP. What a statement may do is the gate's to decide, never this server's.
"""
