"""What the shop gets later: a column of its customers, of which the models know nothing yet."""
