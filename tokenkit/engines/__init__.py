"""Engines: a batch in, a batch of the same kind out. One folder an engine."""

from tokenkit.engines.dispatch import detokenize, tokenize

__all__ = ["detokenize", "tokenize"]
