"""What each name in a text means: references in the order in which they stand, with the scopes they were found in.

Binding knows the catalog and the session's search path, and no policy: it refuses nothing and changes nothing. What it
does not know it says (`Unclaimed`, `Unbound`), so that `penstock_core.sql.authorize` refuses it.
"""
