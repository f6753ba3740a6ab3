"""File keys wrapped under a data key that a service makes, and that only it can decrypt."""

from cryptography.hazmat.primitives import keywrap

from tokenkit.errors import KeyProviderError, KeyringFormatError
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.strict_json import MalformedError, fields

DATA_KEY_BYTES = 32
WRAPPED_BYTES = 40


def wrap(data_key: bytes, file_key: bytearray, service: str) -> bytes:
    """Wrap a file key with AES-256-KWP.

    Raises
    ------
    KeyProviderError
        If the service's data key isn't one.
    """
    return keywrap.aes_key_wrap_with_padding(checked(data_key, service), bytes(file_key))


def unwrap(data_key: bytes, wrapped: bytes, service: str) -> bytearray | None:
    """Unwrap a file key; None if the data key is another than it was wrapped with."""
    try:
        return bytearray(keywrap.aes_key_unwrap_with_padding(checked(data_key, service), wrapped))
    except keywrap.InvalidUnwrap:
        return None


def checked(data_key: object, service: str) -> bytes:
    """Check that what a service answered is 32 bytes."""
    if not isinstance(data_key, bytes) or len(data_key) != DATA_KEY_BYTES:
        raise KeyProviderError(
            f"{service} answered with something that is no data key of 32 bytes",
            hint="check what answers at its address",
        )
    return data_key


def parameters(stanza: Stanza, *names: str) -> dict[str, str]:
    """Read a stanza's parameters, all of them text.

    Raises
    ------
    KeyringFormatError
        If others stand there, or the wrapped file key has the wrong length.
    """
    problem = "the wrapped file key has the wrong length"
    try:
        found = fields(
            dict(stanza.parameters), f"the {stanza.provider} stanza", **dict.fromkeys(names, str)
        )
    except MalformedError as exc:
        problem = str(exc)
    else:
        if len(stanza.wrapped) == WRAPPED_BYTES:
            return found
    raise KeyringFormatError(
        f"the keyring file is damaged: {problem}", hint="restore the file from a copy"
    )
