"""A KEK in AWS KMS: each save asks for a data key, bound to an encryption context.

The file key is wrapped under the data key with AES-256-KWP. The stanza holds the data key as KMS
encrypted it, the ARN of the key, and the encryption context, which KMS authenticates.
"""

import re
from typing import Any

from tokenkit.errors import KekNotConfigured, KeyProviderError, KeyringError, WrongKek
from tokenkit.keys.providers import data_keys
from tokenkit.keys.providers.protocol import Stanza
from tokenkit.keys.providers.uri import checked_address, load, split
from tokenkit.keys.strict_json import MalformedError, binary, compact, parse, text
from tokenkit.keys.unexportable import Unexportable

_SERVICE = "AWS KMS"
_CONTEXT = {"tokenkit": "keyring"}
_ARN = re.compile(r"arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
_CODE = re.compile(r"[A-Za-z0-9.]{1,80}")
_MAX_ENCRYPTED = 6144
_OPTIONS = {"region", "profile", "endpoint", "ca"}
_NOT_THIS_KEY = {"IncorrectKeyException", "InvalidCiphertextException"}
_CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "ExpiredToken",
    "SignatureDoesNotMatch",
}
_HINTS = {
    "NotFoundException": "the key doesn't exist in that region and account",
    "DisabledException": "the key is disabled: enable it, or use another KEK of the keyring",
    "KMSInvalidStateException": "the key is about to be deleted, or can't be used for another "
    "reason: cancel the deletion, or use another KEK of the keyring",
    "AccessDeniedException": "the credentials need kms:GenerateDataKey to save and kms:Decrypt "
    "to open, with this encryption context",
    "InvalidKeyUsageException": "the key has to be a symmetric one that encrypts and decrypts",
}


class AwsKmsProvider(Unexportable):
    """Wraps file keys under data keys of AWS KMS. Credentials come from where boto3 finds them.

    Parameters
    ----------
    rest
        ``KEY?region=...&profile=...&endpoint=...&ca=PATH&context.NAME=VALUE``: a key's ARN or id,
        or ``alias/NAME``, and options.

    Raises
    ------
    KeyProviderError
        If the URI can't be read, or boto3 isn't installed.

    Examples
    --------
    >>> AwsKmsProvider("alias/keyring?region=eu-west-1&context.team=payments").describe()
    'aws-kms:alias/keyring?region=eu-west-1&context.team=payments'
    """

    __slots__ = ("_boto3", "_client", "_config", "_context", "_failures", "_key", "_options")

    scheme = "aws-kms"

    def __init__(self, rest: str) -> None:
        self._key, options = split(rest, self.scheme, _OPTIONS, prefix="context.")
        if not _KEY.fullmatch(self._key):
            raise KeyProviderError("the aws-kms KEK is no key id, key ARN or alias/NAME")
        if "endpoint" in options:
            checked_address(options["endpoint"], _SERVICE)
        self._context = {
            name.removeprefix("context."): value
            for name, value in options.items()
            if name.startswith("context.")
        }
        if _CONTEXT.keys() & self._context.keys():
            raise KeyProviderError('the encryption context\'s "tokenkit" is taken')
        self._options = options
        self._boto3, self._config, self._failures = load(
            ("boto3", "botocore.config", "botocore.exceptions"), self.scheme
        )
        self._client: Any = None

    def describe(self) -> str:
        """Name the key, its region and context."""
        query = "&".join(f"{name}={value}" for name, value in self._options.items())
        return f"aws-kms:{self._key}?{query}" if query else f"aws-kms:{self._key}"

    def __repr__(self) -> str:
        return f"<AwsKmsProvider {self.describe()}>"

    def wrap(self, file_key: bytearray) -> Stanza:
        """Wrap a file key under a fresh data key."""
        context = {**_CONTEXT, **self._context}
        answer = self._call(
            "generate_data_key", KeyId=self._key, KeySpec="AES_256", EncryptionContext=context
        )
        arn: Any = answer.get("KeyId")
        encrypted: Any = answer.get("CiphertextBlob")
        if not _is_arn(arn) or not _is_encrypted(encrypted):
            raise _strange()
        wrapped = data_keys.wrap(answer.get("Plaintext", b""), file_key, _SERVICE)
        parameters: dict[str, str | int] = {
            "context": compact(context).decode("ascii"),
            "data_key": text(encrypted),
            "key": arn,
        }
        return Stanza(self.scheme, parameters, wrapped)

    def unwrap(self, stanza: Stanza) -> bytearray:
        """Let KMS decrypt the data key, and unwrap the file key with it."""
        found = data_keys.parameters(stanza, "context", "data_key", "key")
        context, encrypted = _read(found)
        if not _is_arn(found["key"]) or not _is_encrypted(encrypted) or context is None:
            raise WrongKek("the keyring's part that AWS KMS wraps is damaged")
        if self._same(found["key"]) is False:
            raise WrongKek(f"the keyring is wrapped under another AWS KMS key than {self._key}")
        if any(context.get(name) != value for name, value in self._context.items()):
            raise WrongKek(
                "the keyring's encryption context isn't the one that the KEK asks for",
                hint="check context.NAME=VALUE, or whether it's the right file",
            )
        answer = self._call(
            "decrypt", KeyId=self._key, CiphertextBlob=encrypted, EncryptionContext=context
        )
        file_key = data_keys.unwrap(answer.get("Plaintext", b""), stanza.wrapped, _SERVICE)
        if file_key is None:
            raise self._wrong()
        return file_key

    def recognizes(self, stanza: Stanza) -> bool:
        """Whether a stanza is wrapped under this key; an alias is only known by asking KMS."""
        told = self._same(str(stanza.parameters.get("key", "")))
        if told is not None:
            return told
        try:
            self.unwrap(stanza)[:] = bytes(data_keys.DATA_KEY_BYTES)
        except WrongKek:
            return False
        return True

    def _same(self, arn: str) -> bool | None:
        if "alias/" in self._key:
            return None
        mine, its = self._key.rpartition("/")[2], arn.rpartition("/")[2]
        # A multi-region key has the same id, and the same key, in each of its regions.
        return arn == self._key or (mine == its and (":" not in self._key or mine[:4] == "mrk-"))

    def _wrong(self) -> WrongKek:
        return WrongKek(
            f"the AWS KMS key {self._key} doesn't open the keyring, or the part of the file that "
            "it wraps is damaged",
            hint="check which key the keyring names: tokenkit keys inspect",
        )

    def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        failure: KeyringError
        try:
            if self._client is None:
                self._client = self._connected()
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except self._failures.ClientError as exc:
            failure = self._refusal(exc.response)
        except (self._failures.NoCredentialsError, self._failures.PartialCredentialsError):
            failure = KekNotConfigured(
                "there are no AWS credentials",
                hint="boto3 looks in the environment, in ~/.aws and at the machine's role",
            )
        except (self._failures.NoRegionError, self._failures.ProfileNotFound) as exc:
            failure = KekNotConfigured(
                f"AWS isn't configured ({type(exc).__name__})",
                hint="name the region and profile: aws-kms:KEY?region=eu-west-1&profile=NAME",
            )
        except KeyringError:
            raise
        except Exception as exc:  # noqa: BLE001 - botocore lets errors of many libraries through
            failure = KeyProviderError(
                f"{_SERVICE} doesn't answer ({type(exc).__name__})",
                hint="check the network, the region, the proxy and the certificate authority",
            )
        else:
            return answer
        raise failure

    def _connected(self) -> Any:
        session = self._boto3.session.Session(profile_name=self._options.get("profile"))
        client = session.client(
            "kms",
            region_name=self._options.get("region") or _region(self._key),
            endpoint_url=self._options.get("endpoint"),
            verify=self._options.get("ca"),
            config=self._config.Config(
                connect_timeout=5,
                read_timeout=10,
                retries={"mode": "standard", "total_max_attempts": 3},
            ),
        )
        checked_address(client.meta.endpoint_url, _SERVICE)
        return client

    def _refusal(self, response: dict[str, Any]) -> KeyringError:
        # The message isn't shown: it may quote the request.
        code = str(response.get("Error", {}).get("Code", ""))
        if code in _NOT_THIS_KEY:
            return self._wrong()
        if code in _CREDENTIALS:
            return KeyProviderError(
                f"AWS refuses the credentials ({code})", hint="renew them, or name a profile"
            )
        shown = code if _CODE.fullmatch(code) else "an error without code"
        return KeyProviderError(f"{_SERVICE} refuses: {shown}", hint=_HINTS.get(code))


def _region(key: str) -> str | None:
    parts = key.split(":")
    return parts[3] if len(parts) > 4 else None


def _is_arn(value: object) -> bool:
    return isinstance(value, str) and bool(_ARN.fullmatch(value))


def _is_encrypted(value: object) -> bool:
    return isinstance(value, bytes) and 0 < len(value) <= _MAX_ENCRYPTED


def _read(found: dict[str, str]) -> tuple[dict[str, str] | None, bytes]:
    try:
        context = parse(found["context"].encode("utf-8"))
        encrypted = binary(found["data_key"], "the data key")
    except (MalformedError, UnicodeEncodeError):
        return None, b""
    if not isinstance(context, dict) or not all(type(value) is str for value in context.values()):
        return None, b""
    return (context if _CONTEXT.items() <= context.items() else None), encrypted


def _strange() -> KeyProviderError:
    return KeyProviderError(f"{_SERVICE} answered with something that isn't understood")
