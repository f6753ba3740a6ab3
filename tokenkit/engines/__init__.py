"""Engines: a batch in, a batch of the same kind out. One folder an engine."""

from tokenkit.engines.dispatch import detokenize, tokenize
from tokenkit.engines.rekey import rekey

__all__ = ["detokenize", "rekey", "tokenize"]
