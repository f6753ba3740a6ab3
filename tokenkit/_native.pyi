"""What the native module exports. A test holds this stub against the built module."""

from typing import Protocol, final

REASONS: tuple[str, ...]

class SupportsArrowArray(Protocol):
    """Any object that gives an Arrow array through the PyCapsule interface."""

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...

@final
class ArrowArray:
    """An Arrow array on its way out; hand it to ``pyarrow.array``."""

    def __arrow_c_array__(
        self, requested_schema: object | None = None
    ) -> tuple[object, object]: ...
    def __len__(self) -> int: ...

@final
class KeyHandle:
    """Keeps a key version loaded; shows its id, never its bytes; can't be copied or pickled."""

    @property
    def id(self) -> int: ...
    @property
    def check_value(self) -> bytes: ...
    def release(self) -> None: ...
    def __copy__(self) -> None: ...
    def __deepcopy__(self, _memo: object) -> None: ...

def generate_key(id: int) -> KeyHandle: ...  # noqa: A002
def import_key(id: int, secret: bytearray) -> KeyHandle: ...  # noqa: A002
def seal_payload(
    file_key: bytearray, header: bytes, metadata: bytes, keys: list[KeyHandle]
) -> bytes: ...
def open_payload(
    file_key: bytearray, header: bytes, sealed: bytes
) -> tuple[bytes, list[KeyHandle]]: ...
def header_mac(file_key: bytearray, header: bytes) -> bytes: ...
def metadata_mac(key: KeyHandle, message: bytes) -> bytes: ...
def transform(
    specification: str,
    values: SupportsArrowArray,
    name: str,
    tweaks: SupportsArrowArray | None = None,
) -> ArrowArray: ...
def kernel() -> str: ...
def select_kernel(name: str) -> str: ...

@final
class FF1:
    """FF1 under raw key bytes; see ``tokenkit.hazmat``."""

    def __new__(
        cls, key: bytes, radix: int | None, alphabet: str | None, allow_small_domain: bool
    ) -> FF1: ...
    def numerals(self, numerals: list[int], tweak: bytes, decrypt: bool) -> list[int]: ...
    def text(self, text: str, tweak: bytes, decrypt: bool) -> str: ...
    def array(
        self,
        values: SupportsArrowArray,
        tweak: bytes,
        tweaks: SupportsArrowArray | None,
        decrypt: bool,
    ) -> ArrowArray: ...

@final
class AESSIV:
    """AES-SIV under raw key bytes; see ``tokenkit.hazmat``."""

    def __new__(cls, key: bytes) -> AESSIV: ...
    def encrypt(self, plaintext: bytes, associated: list[bytes]) -> bytes: ...
    def decrypt(self, sealed: bytes, associated: list[bytes]) -> bytes: ...
