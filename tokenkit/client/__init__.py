"""The client of the REST service: values, lists, records of tokens, and files.

:class:`TokenizationClient` waits for its answers, :class:`AsyncTokenizationClient` is awaited. Both
do the same: what is sent, when it is sent again and how answers are read stands in flows that do no
input or output themselves, see :mod:`tokenkit.client.effects`.
"""

from importlib.util import find_spec

from tokenkit.errors import ClientError

if find_spec("httpx") is None or find_spec("anyio") is None:
    raise ClientError(
        "the client needs the packages httpx and anyio",
        hint="pip install 'tokenkit-vaultless[client]'",
    )

from tokenkit.client.asynchronous import AsyncTokenizationClient
from tokenkit.client.facts import (
    Batch,
    BatchFailure,
    BatchProgress,
    DetokenizedValue,
    DetokenizedValues,
    Page,
    RecordReceipt,
    TokenizedValue,
    TokenizedValues,
    TokenRecord,
    TokenValidity,
    ValueFault,
)
from tokenkit.client.settings import Retries, Timeouts
from tokenkit.client.synchronous import TokenizationClient

__all__ = [
    "AsyncTokenizationClient",
    "Batch",
    "BatchFailure",
    "BatchProgress",
    "DetokenizedValue",
    "DetokenizedValues",
    "Page",
    "RecordReceipt",
    "Retries",
    "Timeouts",
    "TokenRecord",
    "TokenValidity",
    "TokenizationClient",
    "TokenizedValue",
    "TokenizedValues",
    "ValueFault",
]
