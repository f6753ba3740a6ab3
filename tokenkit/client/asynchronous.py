"""The client that is awaited."""

import os
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import AsyncExitStack, aclosing, closing
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from uuid import UUID

import anyio
import httpx
from anyio import to_thread

from tokenkit.client.batch_flows import BatchFlows, BatchRef, UploadOptions
from tokenkit.client.effects import Answer, Effect, Fault, Flow, Pause, Send
from tokenkit.client.facts import (
    Batch,
    DetokenizedValue,
    DetokenizedValues,
    Page,
    TokenizedValue,
    TokenizedValues,
    TokenRecord,
    TokenValidity,
    Value,
)
from tokenkit.client.progress import Progress
from tokenkit.client.settings import Retries, Timeouts
from tokenkit.client.sources import Source
from tokenkit.client.token_flows import (
    ListOptions,
    TokenFlows,
    TokenizeListOptions,
    TokenizeOptions,
    ValueOptions,
)
from tokenkit.client.transmission import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUTS,
    client_options,
    fault_of,
    head_of,
    request_options,
)

T = TypeVar("T")


class AsyncTransmitter:
    """Carries out what flows ask for, and is awaited; files are read and written in threads.

    Parameters
    ----------
    client
        What sends.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end."""
        try:
            effect = next(flow)
            while True:
                effect = flow.send(await self._done(effect))
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        finally:
            flow.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _done(self, effect: Effect) -> object:
        if isinstance(effect, Send):
            return await self._sent(effect)
        if isinstance(effect, Pause):
            await anyio.sleep(effect.seconds)
            return None
        return await to_thread.run_sync(effect.do)

    async def _sent(self, effect: Send) -> Answer | Fault:
        content = effect.call.content
        async with AsyncExitStack() as stack:
            pieces: AsyncGenerator[bytes, None] | None = None
            if content is not None:
                read = stack.enter_context(closing(content.pieces()))
                pieces = await stack.enter_async_context(aclosing(_in_threads(read)))
            try:
                request = self._client.build_request(**request_options(effect.call), content=pieces)
                response = await self._client.send(request, stream=True)
                stack.push_async_callback(response.aclose)
                return await self._received(effect, response)
            except (httpx.HTTPError, httpx.InvalidURL) as exc:
                return fault_of(exc)

    async def _received(self, effect: Send, response: httpx.Response) -> Answer:
        head = head_of(response)
        if effect.sink is None or not response.is_success:
            return Answer(status=head.status, headers=head.headers, body=await response.aread())
        if await to_thread.run_sync(effect.sink.begin, head):
            async for piece in response.aiter_raw():
                await to_thread.run_sync(effect.sink.write, piece)
        return head


async def _in_threads(pieces: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    """Read pieces where reading holds nobody up."""
    while (piece := await to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


class AsyncBatches:
    """Batches: files that are uploaded, worked on and fetched.

    Parameters
    ----------
    transmitter, retries
        What sends, and how often it is tried.
    """

    def __init__(self, transmitter: AsyncTransmitter, retries: Retries) -> None:
        self._run = transmitter.run
        self._flows = BatchFlows(retries)

    async def create(
        self, source: Source, *, policy: str, **options: Unpack[UploadOptions]
    ) -> Batch:
        """Upload a file to be tokenized by a policy.

        It is read as it is sent. It is sent again, after a connection that broke off, if it can be
        read again: a path, bytes, or a file that can be rewound.

        Parameters
        ----------
        source
            A path, the bytes themselves, or a file that is open in binary mode.
        policy
            The policy's name.
        **options
            See :class:`~tokenkit.client.batch_flows.UploadOptions`.

        Raises
        ------
        ClientError
            If it isn't taken.
        OSError
            If the file can't be read.
        """
        return await self._run(self._flows.create(source, policy, options))

    async def get(self, batch: BatchRef) -> Batch:
        """Read how a batch stands."""
        return await self._run(self._flows.get(batch))

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Batch]:
        """Read a page of one's batches, the latest first; ``cursor``: ``next`` of the last one."""
        return await self._run(self._flows.page(limit, cursor))

    async def wait(
        self,
        batch: BatchRef,
        *,
        seconds: float | None = None,
        poll_seconds: float = 5.0,
        progress: Progress = False,
        check: bool = True,
    ) -> Batch:
        """Wait until a batch is over.

        Parameters
        ----------
        batch
            The batch, or its id.
        seconds
            How many at most; None for as long as it takes.
        poll_seconds
            The longest time between two questions; the first ones come sooner.
        progress
            True for a bar, or a function that is given the batch each time.
        check
            Whether one that isn't complete is an error.

        Raises
        ------
        BatchError
            If it has failed or was cancelled, unless ``check`` is false.
        ServiceTimedOut
            If it isn't over in time. It goes on.
        """
        return await self._run(
            self._flows.wait(batch, seconds, poll_seconds, progress, check=check)
        )

    async def download(
        self, batch: BatchRef, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> Path:
        """Fetch the result of a complete batch into a file.

        The file has its name when it is whole and on the disk; where a connection breaks off, the
        next one goes on. Nothing is left of a download that fails.

        Raises
        ------
        OutputExists
            If the file is there, unless ``overwrite`` is true.
        ClientError
            If there is no result, or it can't be fetched.
        """
        return await self._run(self._flows.download(batch, "result", target, overwrite=overwrite))

    async def download_rejects(
        self, batch: BatchRef, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> Path:
        """Fetch the rejected rows, sealed cell by cell, in the same way."""
        return await self._run(self._flows.download(batch, "rejects", target, overwrite=overwrite))

    async def download_metadata(
        self, batch: BatchRef, target: str | os.PathLike[str], *, overwrite: bool = False
    ) -> Path:
        """Fetch what says how a text file's tokens were made: its ``NAME.tokenkit.json``."""
        return await self._run(self._flows.download(batch, "metadata", target, overwrite=overwrite))

    async def cancel(self, batch: BatchRef) -> Batch:
        """End a batch before it is done; one that runs ends in a moment."""
        return await self._run(self._flows.cancel(batch))

    async def delete(self, batch: BatchRef) -> Batch:
        """Remove the result of a complete batch before its time."""
        return await self._run(self._flows.delete(batch))


class AsyncTokenRecords:
    """Records that the service keeps of tokens.

    Parameters
    ----------
    transmitter, retries
        What sends, and how often it is tried.
    """

    def __init__(self, transmitter: AsyncTransmitter, retries: Retries) -> None:
        self._run = transmitter.run
        self._flows = TokenFlows(retries)

    async def get(self, record_id: UUID | str) -> TokenRecord:
        """Read a record."""
        return await self._run(self._flows.record(record_id))

    async def list(self, *, limit: int = 100, cursor: str | None = None) -> Page[TokenRecord]:
        """Read a page of one's records; ``cursor`` is ``next`` of the page before."""
        return await self._run(self._flows.records(limit, cursor))

    async def revoke(self, record_id: UUID | str) -> TokenRecord:
        """Revoke a token, for good, for the caller whose record it is."""
        return await self._run(self._flows.revoke(record_id))


class AsyncTokenizationClient:
    """A client of the service that is awaited. Tasks of one event loop may share it.

    Parameters
    ----------
    api_key
        The API key; by default ``TOKENKIT_API_KEY``.
    base_url
        The service's address; by default ``TOKENKIT_BASE_URL``. Without TLS only on the same host.
    timeouts, retries
        How long to wait, and how often to try.
    allow_http
        Whether the API key and every value may go to another host in clear.
    ssl_context
        How the service's certificate is checked, where that isn't by the system's authorities.
    transport
        What sends, in tests.

    Attributes
    ----------
    batches
        Calls about batches.
    records
        Calls about records of tokens.

    Raises
    ------
    ClientError
        If there is no API key or address, or one that can't be used.

    Examples
    --------
    >>> def answer(request):
    ...     return httpx.Response(200, json={"token": "49672535", "key": "payments", "version": 1})
    >>> async def main():
    ...     async with AsyncTokenizationClient(
    ...         api_key="tkk_example",
    ...         base_url="https://tokens.example.org",
    ...         transport=httpx.MockTransport(answer),
    ...     ) as client:
    ...         return await client.tokenize("45395787", policy="orders", column="card")
    >>> anyio.run(main).token
    '49672535'
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: Retries = DEFAULT_RETRIES,
        allow_http: bool = False,
        ssl_context: SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        options = client_options(api_key, base_url, timeouts=timeouts, allow_http=allow_http)
        self._base_url: str = options["base_url"]
        verify: Any = True if ssl_context is None else ssl_context
        self._transmitter = AsyncTransmitter(
            httpx.AsyncClient(**options, verify=verify, transport=transport)
        )
        self._flows = TokenFlows(retries)
        self.batches = AsyncBatches(self._transmitter, retries)
        self.records = AsyncTokenRecords(self._transmitter, retries)

    async def tokenize(self, value: Value, **options: Unpack[TokenizeOptions]) -> TokenizedValue:
        """Give the token of a value.

        Parameters
        ----------
        value
            A string, an integer of 64 bits, or None, which stays.
        **options
            ``policy`` and ``column``, or ``scheme`` and ``key``; see
            :class:`~tokenkit.client.token_flows.TokenizeOptions`.

        Raises
        ------
        RequestRefused
            If it doesn't fit, or there is no right to it.
        ClientError
            If there is no answer.
        """
        return await self._transmitter.run(self._flows.tokenize(value, options))

    async def tokenize_many(
        self, values: Iterable[Value], **options: Unpack[TokenizeListOptions]
    ) -> TokenizedValues:
        """Give the token of each value of a list, of up to 1,000.

        One that doesn't fit is among ``faults``, and None stands in its place.
        """
        return await self._transmitter.run(self._flows.tokenize_many(values, options))

    async def detokenize(self, token: Value, **options: Unpack[ValueOptions]) -> DetokenizedValue:
        """Give the value that a token stands for; raises as :meth:`tokenize` does."""
        return await self._transmitter.run(self._flows.detokenize(token, options))

    async def detokenize_many(
        self, tokens: Iterable[Value], **options: Unpack[ListOptions]
    ) -> DetokenizedValues:
        """Give the value of each token of a list, of up to 1,000; see :meth:`tokenize_many`."""
        return await self._transmitter.run(self._flows.detokenize_many(tokens, options))

    async def validate(self, token: Value, **options: Unpack[ValueOptions]) -> TokenValidity:
        """Say whether a token is well-formed, known, expired or revoked; nothing is turned back."""
        return await self._transmitter.run(self._flows.validate(token, options))

    async def validate_many(
        self, tokens: Iterable[Value], **options: Unpack[ListOptions]
    ) -> tuple[TokenValidity, ...]:
        """Say the same of each token of a list."""
        return await self._transmitter.run(self._flows.validate_many(tokens, options))

    async def close(self) -> None:
        """Close the client's connections."""
        await self._transmitter.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._base_url!r})"
