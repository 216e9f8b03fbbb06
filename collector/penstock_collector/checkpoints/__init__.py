"""Signed checkpoints over all streams, made at an interval and kept where this program can't take them back.

What doesn't belong: what a checkpoint is, and how an export is held against some (`penstock_core.audit`).
"""
