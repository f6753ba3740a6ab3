"""Engines: a batch in, a batch of the same kind out. One folder an engine."""
