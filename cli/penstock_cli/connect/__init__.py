"""Going to a database through a gate: with psql, or with a ticket for another program."""
