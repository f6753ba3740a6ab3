"""A KEK inside a PKCS#11 token (an HSM, a smart card, SoftHSM2), which it never leaves.

The file key is wrapped by the token with AES-256-KWP (RFC 5649): ``CKM_AES_KEY_WRAP_KWP``, or
``CKM_AES_KEY_WRAP_PAD`` where that is the name of the same thing, which the length shows.
"""

import hmac
import os
import threading
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from tokenkit.errors import KekNotConfigured, KeyProviderError, KeyringError, WrongKek
from tokenkit.keys.providers import data_keys
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.providers.uri import load, split
from tokenkit.keys.unexportable import Unexportable

_ATTRIBUTES = {"token", "serial", "object", "id", "type"}
_MECHANISMS = ("AES_KEY_WRAP_KWP", "AES_KEY_WRAP_PAD")
# A module is initialized once a process, and logging in counts for all of it.
_LOCK = threading.Lock()
_loaded: dict[str, tuple[Any, int]] = {}


class Pkcs11Provider(Unexportable):
    """Wraps file keys with an AES-256 key that a token made and keeps.

    Parameters
    ----------
    rest
        What stands behind the scheme of an RFC 7512 URI:
        ``token=LABEL;object=LABEL?module-path=PATH&pin-source=SOURCE``, with ``serial`` and ``id``
        beside or instead of the labels. ``pin-source`` is ``env:NAME``, ``file:PATH`` or
        ``prompt``; a ``pin-value`` is refused, since URIs get logged.

    Raises
    ------
    KeyProviderError
        If the URI can't be read, or python-pkcs11 isn't installed.

    Examples
    --------
    >>> uri = "token=prod;object=kek?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=env:PIN"
    >>> Pkcs11Provider(uri).describe()
    'pkcs11:token=prod;object=kek?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=env:PIN'
    """

    __slots__ = ("_path", "_pin", "_pkcs11", "_refused", "_where")

    scheme = "pkcs11"

    def __init__(self, rest: str) -> None:
        path, _, query = rest.partition("?")
        _, options = split(f"_?{query}", self.scheme, {"module-path", "pin-source"})
        self._where = _attributes(path)
        self._path = options.get("module-path", "")
        if not self._path or not {"object", "id"} & self._where.keys():
            raise KeyProviderError(
                "the pkcs11 KEK needs a module and a key",
                hint="use pkcs11:token=LABEL;object=LABEL?module-path=PATH&pin-source=env:NAME",
            )
        self._pin = SecretSource(options.get("pin-source", "prompt"), what="PIN")
        self._refused: bytes | None = None
        (self._pkcs11,) = load(("pkcs11",), self.scheme)

    def describe(self) -> str:
        """Name the token, the key, the module and where the PIN is."""
        where = ";".join(f"{name}={value}" for name, value in self._where.items())
        return f"pkcs11:{where}?module-path={self._path}&pin-source={self._pin.describe()}"

    def __repr__(self) -> str:
        return f"<Pkcs11Provider {self.describe()}>"

    def wrap(self, file_key: bytearray) -> Stanza:
        """Let the token wrap a file key, and unwrap it again to be sure that it can."""
        wrapped = self._run(lambda session: self._wrapped(session, bytes(file_key)))
        parameters: dict[str, str | int] = {"algorithm": "AES-256-KWP"}
        for name in ("object", "id"):
            if name in self._where:
                parameters[name] = self._where[name]
        return Stanza(self.scheme, parameters, wrapped)

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Let the token unwrap a file key."""
        names = [name for name in ("object", "id") if name in stanza.parameters]
        # The names are for people: a key keeps its bytes when it is moved to another token.
        if data_keys.parameters(stanza, "algorithm", *names)["algorithm"] != "AES-256-KWP":
            raise WrongKek("the keyring's part that the token wraps is damaged")
        found: bytes | None = self._run(
            lambda session: self._unwrapped(self._kek(session), stanza.wrapped)
        )
        if found is None or len(found) != data_keys.DATA_KEY_BYTES:
            raise WrongKek(
                "the token's key doesn't open the keyring, or the part of the file that it wraps "
                "is damaged",
                hint="check the token and the object; if they are right, restore the file",
            )
        return bytearray(found)

    def generate(self) -> None:
        """Make the key inside the token: AES-256, not extractable, for wrapping alone.

        Raises
        ------
        KeyProviderError
            If the token has such an object already, or refuses.
        """
        self._run(self._generated, writing=True)

    def _generated(self, session: Any) -> None:
        attribute = self._pkcs11.Attribute
        if any(True for _ in session.get_objects(self._template())):
            raise KeyProviderError("the token already has an object of that name")
        session.generate_key(
            self._pkcs11.KeyType.AES,
            256,
            label=self._where.get("object"),
            id=_id(self._where),
            store=True,
            capabilities=self._pkcs11.MechanismFlag.WRAP | self._pkcs11.MechanismFlag.UNWRAP,
            template={
                attribute.SENSITIVE: True,
                attribute.EXTRACTABLE: False,
                attribute.PRIVATE: True,
            },
        )

    def _wrapped(self, session: Any, file_key: bytes) -> bytes:
        kek = self._kek(session)
        attribute = self._pkcs11.Attribute
        unsafe = (
            kek[attribute.EXTRACTABLE]
            or not kek[attribute.SENSITIVE]
            or not kek[attribute.NEVER_EXTRACTABLE]
            or not kek[attribute.LOCAL]
        )
        if unsafe or kek.key_length != 256:
            raise KeyProviderError(
                "the token's key wasn't made inside it, can be taken out of it, or is no AES-256 "
                "key",
                hint="make one inside: see docs/key-providers.md",
            )
        source = session.create_object(
            {
                attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY,
                attribute.KEY_TYPE: self._pkcs11.KeyType.GENERIC_SECRET,
                attribute.VALUE: file_key,
                attribute.TOKEN: False,
                attribute.EXTRACTABLE: True,
            }
        )
        try:
            wrapped = self._by_mechanism(lambda named: kek.wrap_key(source, mechanism=named))
        finally:
            source.destroy()
        if not isinstance(wrapped, bytes) or len(wrapped) != data_keys.WRAPPED_BYTES:
            raise KeyProviderError("the token doesn't wrap with AES-KWP (RFC 5649)")
        if not hmac.compare_digest(self._unwrapped(kek, wrapped) or b"", file_key):
            raise KeyProviderError("the token doesn't unwrap what it has wrapped")
        return wrapped

    def _unwrapped(self, kek: Any, wrapped: bytes) -> bytes | None:
        attribute = self._pkcs11.Attribute
        errors = self._pkcs11.exceptions
        try:
            found = self._by_mechanism(
                lambda named: kek.unwrap_key(
                    self._pkcs11.ObjectClass.SECRET_KEY,
                    self._pkcs11.KeyType.GENERIC_SECRET,
                    wrapped,
                    mechanism=named,
                    template={
                        attribute.TOKEN: False,
                        attribute.EXTRACTABLE: True,
                        attribute.SENSITIVE: False,
                    },
                )
            )
        # SoftHSM2 says no more than "general error" when the integrity check fails.
        except (
            errors.WrappedKeyInvalid,
            errors.WrappedKeyLenRange,
            errors.EncryptedDataInvalid,
            errors.GeneralError,
            errors.FunctionFailed,
        ):
            return None
        try:
            return bytes(found[attribute.VALUE])
        finally:
            found.destroy()

    def _by_mechanism(self, call: Any) -> Any:
        for name in _MECHANISMS:
            try:
                return call(getattr(self._pkcs11.Mechanism, name))
            except self._pkcs11.exceptions.MechanismInvalid:
                continue
        raise KeyProviderError("the token doesn't offer AES-KWP (RFC 5649)")

    def _template(self) -> dict[Any, Any]:
        attribute = self._pkcs11.Attribute
        template = {attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY}
        if "object" in self._where:
            template[attribute.LABEL] = self._where["object"]
        if "id" in self._where:
            template[attribute.ID] = _id(self._where)
        return template

    def _kek(self, session: Any) -> Any:
        found = list(session.get_objects(self._template()))
        if len(found) != 1:
            raise KeyProviderError(
                "the token has no such key" if not found else "the token has several such keys",
                hint="name it by object=LABEL and id=%01%02",
            )
        return found[0]

    def _run(self, call: Any, *, writing: bool = False) -> Any:
        failure: KeyringError
        pin = None
        with _LOCK:
            try:
                token = self._token()
                pin = self._read_pin()
                with self._session(token, pin, writing) as session:
                    return call(session)
            except KeyringError:
                raise
            except self._pkcs11.exceptions.PKCS11Error as exc:
                failure = self._failed(exc, pin)
            except Exception as exc:  # noqa: BLE001 - nothing of a foreign module's text comes out
                failure = self._failed(exc, None)
        raise failure

    def _failed(self, exc: Exception, pin: bytes | None) -> KeyringError:
        name = type(exc).__name__
        if name.startswith("Pin"):
            self._refused = pin
            return KeyProviderError(
                f"the token refuses the PIN ({name})",
                hint="it won't be tried again here, since tokens lock themselves: correct it at "
                f"{self._pin.describe()}",
            )
        if name in {"NoSuchToken", "MultipleTokensReturned", "TokenNotPresent"}:
            return KeyProviderError(
                f"the module has no token of that name, or several ({name})",
                hint="check token=LABEL, and add serial=NUMBER where two share a label",
            )
        return KeyProviderError(
            f"the PKCS#11 module failed ({name})",
            hint=f"check that {self._path} is the token's PKCS#11 module and reaches it",
        )

    def _read_pin(self) -> bytes:
        pin = self._pin.read()
        if pin == self._refused and not self._pin.asks:
            raise KeyProviderError(
                "the token has refused this PIN before, and isn't asked again",
                hint=f"correct it at {self._pin.describe()}",
            )
        return pin

    def _token(self) -> Any:
        name, process = self._path, os.getpid()
        library, owner = _loaded.get(name, (None, process))
        if library is None:
            library = self._pkcs11.lib(name)
        elif owner != process:
            # A child of a fork has the parent's memory, and no connection of its own.
            library.reinitialize()
        _loaded[name] = (library, process)
        wanted: dict[str, Any] = {}
        if "token" in self._where:
            wanted["token_label"] = self._where["token"]
        if "serial" in self._where:
            wanted["token_serial"] = self._where["serial"].encode("utf-8")
        return library.get_token(**wanted)

    def _session(self, token: Any, pin: bytes, writing: bool) -> Any:
        try:
            text = pin.decode("utf-8")
        except UnicodeDecodeError:
            text = None
        if text is None:
            raise KekNotConfigured("the PIN is no UTF-8 text")
        try:
            return token.open(rw=writing, user_pin=text)
        except self._pkcs11.exceptions.UserAlreadyLoggedIn:
            # The host program is logged in to the same token, which counts for the process.
            return token.open(rw=writing)


def _attributes(path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in path.split(";"):
        name, _, value = part.partition("=")
        if name not in _ATTRIBUTES or name in found or not value:
            raise KeyProviderError(
                "an attribute of the pkcs11 KEK is unknown, doubled or empty",
                hint=f"its attributes are {', '.join(sorted(_ATTRIBUTES))} (RFC 7512)",
            )
        found[name] = value if name == "id" else unquote(value)
    if found.pop("type", "secret-key") != "secret-key":
        raise KeyProviderError("the pkcs11 KEK is no secret key", hint="use type=secret-key")
    return found


def _id(where: dict[str, str]) -> bytes | None:
    return unquote_to_bytes(where["id"]) if "id" in where else None
