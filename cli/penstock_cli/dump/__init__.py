"""`penstock dump`: pg_dump through a gate, after a look at which constraints the masks would break in the copy."""
