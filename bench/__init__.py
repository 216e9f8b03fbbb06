"""What the gate costs, beside no gate and beside pgbouncer. How it is measured is in README.md.

What doesn't belong: tests of what the gate does (`tests`), anything that the product runs.
"""
