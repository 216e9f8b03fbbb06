"""What an agent sends and reads: tools, their arguments and results, worded and limited; no I/O."""
