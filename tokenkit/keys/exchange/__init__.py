"""Handing key versions to a partner: wrapped for his RSA key, signed by the sender's Ed25519 key.

Neither key says whose it is: both are exchanged, or compared by their fingerprints, over a channel
that the file doesn't go through. See ``docs/keys.md``.
"""

from tokenkit.keys.exchange.document import Exchange
from tokenkit.keys.exchange.receiving import import_keys
from tokenkit.keys.exchange.sending import export_keys

__all__ = ["Exchange", "export_keys", "import_keys"]
