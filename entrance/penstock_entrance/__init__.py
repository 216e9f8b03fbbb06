"""What strangers reach first: connections that are bounded in number and time, for every program that listens.

What doesn't belong: what is answered, and who may have it; that is each program's.
"""
