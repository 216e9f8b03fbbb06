"""The session at the gate: connecting with a token, running one statement at a time, and what became of it."""
