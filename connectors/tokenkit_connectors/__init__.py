"""Tables that tokenkit's jobs read and write: a package a system, found by entry points.

Importing one imports nothing of the system itself; that waits until a table is used.
"""
