"""Keyrings from raw key bytes."""

from collections.abc import Mapping

from tokenkit.keys import Keyring


def keyring_from_bytes(keys: Mapping[str, bytes]) -> Keyring:
    """Make a keyring in memory from key bytes that come from elsewhere.

    Parameters
    ----------
    keys
        For each name, 32 bytes: version 1 of that key. The version's id is derived from the bytes,
        so that the same bytes give the same tokens in every process.

    Returns
    -------
    Keyring
        Open, without a file.

    Raises
    ------
    InvalidKey
        A ``ValueError``: if a name isn't well formed, or a key doesn't have 32 bytes.

    Examples
    --------
    >>> with keyring_from_bytes({"payments": bytes(range(32))}) as ring:
    ...     ring.names
    ('payments',)
    """
    return Keyring.from_secrets(keys)
