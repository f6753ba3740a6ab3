"""A KEK in Vault's Transit engine (and those that answer as it does, such as OpenBao).

Each save asks for a data key; the file key is wrapped under it with AES-256-KWP. The stanza holds
the data key as Transit encrypted it, and the path of the Transit key.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from tokenkit.errors import KekNotConfigured, KeyProviderError, KeyringError, WrongKek
from tokenkit.keys.providers import data_keys
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.providers.secret_sources import SecretSource
from tokenkit.keys.providers.uri import checked_address, load, split
from tokenkit.keys.strict_json import MalformedError, binary
from tokenkit.keys.unexportable import Unexportable

_SERVICE = "Vault"
_OPTIONS = {
    "address": "VAULT_ADDR",
    "namespace": "VAULT_NAMESPACE",
    "ca": "VAULT_CACERT",
    "certificate": "VAULT_CLIENT_CERT",
    "key": "VAULT_CLIENT_KEY",
    "server_name": "VAULT_TLS_SERVER_NAME",
    "token": "",
}
_PATH = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+")
_CIPHERTEXT = re.compile(r"vault:v[1-9]\d{0,8}:[A-Za-z0-9+/]{1,4096}={0,2}")
_MAX_ANSWER = 65_536
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 10.0


class VaultProvider(Unexportable):
    """Wraps file keys under data keys of Vault's Transit engine.

    Parameters
    ----------
    rest
        ``MOUNT/KEY?address=...&namespace=...&token=SOURCE&ca=PATH&certificate=PATH&key=PATH
        &server_name=...``. What isn't there comes from ``VAULT_ADDR``, ``VAULT_NAMESPACE``,
        ``VAULT_TOKEN`` or ``~/.vault-token``, ``VAULT_CACERT``, ``VAULT_CLIENT_CERT``,
        ``VAULT_CLIENT_KEY`` and ``VAULT_TLS_SERVER_NAME``.

    Raises
    ------
    KeyProviderError
        If the URI can't be read, or urllib3 isn't installed.

    Examples
    --------
    >>> VaultProvider("transit/keyring?address=https://vault.example:8200").describe()
    'vault:transit/keyring?address=https://vault.example:8200'
    """

    __slots__ = ("_mount", "_name", "_options", "_pool", "_urllib3")

    scheme = "vault"

    def __init__(self, rest: str) -> None:
        path, self._options = split(rest, self.scheme, _OPTIONS)
        if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise KeyProviderError(
                "the vault KEK names no Transit key", hint="use vault:MOUNT/KEY: vault:transit/NAME"
            )
        self._mount, _, self._name = path.rpartition("/")
        if "token" in self._options:
            SecretSource(self._options["token"], what="Vault token")
        if "address" in self._options:
            checked_address(self._options["address"], _SERVICE)
        (self._urllib3,) = load(("urllib3",), self.scheme)
        self._pool: Any = None

    def describe(self) -> str:
        """Name the Transit key and where Vault is."""
        query = "&".join(f"{name}={value}" for name, value in self._options.items())
        path = f"vault:{self._mount}/{self._name}"
        return f"{path}?{query}" if query else path

    def __repr__(self) -> str:
        return f"<VaultProvider {self.describe()}>"

    def wrap(self, file_key: bytearray) -> Stanza:
        """Wrap a file key under a fresh data key."""
        answer = self._post("datakey/plaintext", {"bits": 256})
        encrypted = answer.get("ciphertext")
        if not isinstance(encrypted, str) or not _CIPHERTEXT.fullmatch(encrypted):
            raise _strange()
        wrapped = data_keys.wrap(_plaintext(answer), file_key, _SERVICE)
        parameters = {"data_key": encrypted, "key": f"{self._mount}/{self._name}"}
        return Stanza(self.scheme, parameters, wrapped)

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Let Transit decrypt the data key, and unwrap the file key with it."""
        found = data_keys.parameters(stanza, "data_key", "key")
        if not _CIPHERTEXT.fullmatch(found["data_key"]):
            raise WrongKek("the keyring's part that Vault wraps is damaged")
        answer = self._post("decrypt", {"ciphertext": found["data_key"]})
        file_key = data_keys.unwrap(_plaintext(answer), stanza.wrapped, _SERVICE)
        if file_key is None:
            raise self._wrong()
        return file_key

    def _wrong(self) -> WrongKek:
        return WrongKek(
            f"the Transit key {self._mount}/{self._name} doesn't open the keyring, or the part "
            "of the file that it wraps is damaged",
            hint="check which key the keyring names: tokenkit keys inspect",
        )

    def _post(self, operation: str, body: dict[str, object]) -> dict[str, Any]:
        headers = {
            "X-Vault-Token": self._token(),
            "X-Vault-Request": "true",
            "Content-Type": "application/json",
        }
        if namespace := self._option("namespace"):
            headers["X-Vault-Namespace"] = namespace
        url = f"{self._address()}/v1/{self._mount}/{operation}/{self._name}"
        failure: KeyringError
        try:
            if self._pool is None:
                self._pool = self._connected()
            answer = self._pool.request(
                "POST",
                url,
                body=json.dumps(body).encode("ascii"),
                headers=headers,
                # A redirect would take the token to another host.
                redirect=False,
                preload_content=False,
            )
            content = answer.read(_MAX_ANSWER + 1, decode_content=False)
            status = answer.status
            answer.close()
        except Exception as exc:  # noqa: BLE001 - urllib3, ssl and http.client each raise their own
            failure = KeyProviderError(
                f"{_SERVICE} doesn't answer ({type(exc).__name__})",
                hint="check its address, the network and the certificate authority (ca=PATH or "
                "VAULT_CACERT)",
            )
        else:
            if status != 200:
                raise self._refusal(status, content[:_MAX_ANSWER])
            return _data(content)
        raise failure

    def _connected(self) -> Any:
        return self._urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            ca_certs=self._option("ca"),
            cert_file=self._option("certificate"),
            key_file=self._option("key"),
            server_hostname=self._option("server_name"),
            timeout=self._urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            retries=self._urllib3.Retry(
                total=2,
                read=0,
                redirect=0,
                allowed_methods=None,
                status_forcelist={412, 429, 502, 504},
                backoff_factor=0.2,
                respect_retry_after_header=False,
                raise_on_status=False,
            ),
        )

    def _option(self, name: str) -> str | None:
        return self._options.get(name) or os.environ.get(_OPTIONS[name]) or None

    def _address(self) -> str:
        address = self._option("address")
        if address is None:
            raise KekNotConfigured(
                "nothing says where Vault is", hint="set VAULT_ADDR, or name address=https://..."
            )
        return checked_address(address, _SERVICE)

    def _token(self) -> str:
        named = self._options.get("token")
        home = Path("~/.vault-token").expanduser()
        if named is None:
            if not os.environ.get("VAULT_TOKEN") and not home.is_file():
                raise KekNotConfigured(
                    "there is no Vault token",
                    hint="set VAULT_TOKEN, log in with vault login, or name token=file:PATH",
                )
            named = "env:VAULT_TOKEN" if os.environ.get("VAULT_TOKEN") else f"file:{home}"
        # Read anew each time: an agent may renew it.
        token = SecretSource(named, what="Vault token").read()
        if not re.fullmatch(rb"[\x21-\x7e]{1,8192}", token):
            raise KekNotConfigured("the Vault token has a character that no token has")
        return token.decode("ascii")

    def _refusal(self, status: int, content: bytes) -> KeyringError:
        # Vault's words are looked at and never shown: they may quote the request.
        said = content.lower()
        if status in {400, 500} and (
            b"message authentication failed" in said or b"invalid ciphertext" in said
        ):
            return self._wrong()
        path = f"{self._mount}/{self._name}"
        if status == 400 and b"encryption key not found" in said:
            return KeyProviderError(f"Vault has no Transit key {path}")
        if status == 400 and b"disallowed by policy" in said:
            return KeyProviderError(
                f"the version of the Transit key {path} that wraps the keyring is too old to use",
                hint="lower its min_decryption_version, open the keyring and save it again",
            )
        hints = {
            403: "the token is invalid or expired, or its policy lacks update on "
            f"{self._mount}/datakey/plaintext/{self._name} or {self._mount}/decrypt/{self._name}",
            404: f"no Transit engine is mounted at {self._mount}, or the token may not know",
            429: "its quota is used up: try again later",
            503: "it is sealed, or down for maintenance",
        }
        return KeyProviderError(
            f"Vault refuses with status {status}", hint=hints.get(status, "check its address")
        )


def _data(content: bytes) -> dict[str, Any]:
    answer = None
    if len(content) <= _MAX_ANSWER:
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict):
        raise _strange()
    return data


def _plaintext(data: dict[str, Any]) -> bytes:
    try:
        found = binary(data.get("plaintext"), "the data key")
    except MalformedError:
        found = None
    if found is None:
        raise _strange()
    return found


def _strange() -> KeyProviderError:
    return KeyProviderError(f"{_SERVICE} answered with something that isn't understood")
