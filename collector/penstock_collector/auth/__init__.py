"""Who may write a stream, and who may read the trail.

What doesn't belong: which page or path asks for it (`web/`).
"""
