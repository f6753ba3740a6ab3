"""The raw primitives, for vectors, interoperability and migration. Not for everyday use.

.. warning::
   Here keys are ``bytes`` that Python copies and never wipes, a tweak is whatever the caller gives,
   nothing separates one use of a key from another, and nothing records which key made a token. The
   rest of tokenkit does all of that; use this only where another system dictates the bytes.
"""

from tokenkit.hazmat.ff1 import FF1
from tokenkit.hazmat.keyring import keyring_from_bytes
from tokenkit.hazmat.siv import AESSIV

__all__ = ["AESSIV", "FF1", "keyring_from_bytes"]
