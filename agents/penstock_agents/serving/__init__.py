"""How MCP clients reach the tools: stdio for one agent, streamable HTTP for many who prove who they are."""
