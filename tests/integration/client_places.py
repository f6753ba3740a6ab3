"""Services for tests of the client: with workers or without, and a proxy before them that cuts."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.cutting_proxy import CuttingProxy, cutting
from tests.services import Service, running
from tokenkit.batches.executors.pool import WorkerPool
from tokenkit.batches.opening import open_workshop
from tokenkit.client import Retries, TokenizationClient
from tokenkit.keys import create_keyring, open_keyring
from tokenkit.keys.providers.passphrase import PassphraseProvider

RIGHTS = ("allow", "tokenize", "*"), ("allow", "detokenize", "*"), ("allow", "tokens.*", "*")
QUICKLY = Retries(first=0.05, most=0.3)


@dataclass
class Place:
    """A service, the proxy before it, and the API key of one who may do everything with tokens."""

    service: Service
    proxy: CuttingProxy
    key: str
    folder: Path

    def client(self, retries: Retries = QUICKLY) -> TokenizationClient:
        """Make a client that goes through the proxy."""
        return TokenizationClient(self.key, self.proxy.url, retries=retries)


@contextmanager
def placed(folder, *, workers, **policies):
    """Run a service with policies by name, on SQLite; `orders` is one of them."""
    url = f"sqlite:///{folder / 'store' / 'tokenkit.db'}"
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("C_PASSPHRASE", "correct horse")
        patch.setenv("TOKENKIT_KEK", "passphrase:env:C_PASSPHRASE")
        patch.setenv("TOKENKIT_KEYRING", str(folder / "keyring.json"))
        provider = PassphraseProvider("env:C_PASSPHRASE", cost=2)
        names = ["people", "payments", "access", "audit"]
        create_keyring(folder / "keyring.json", names, provider).close()
        ring = open_keyring(folder / "keyring.json")
        (folder / "policies").mkdir()
        for name, policy in policies.items():
            (folder / "policies" / f"{name}.yaml").write_text(policy)
        options = {"policy": policies["orders"], "keyring": ring, "batches": str(folder / "files")}
        service = stack.enter_context(running(url, folder, **options))
        if workers:
            opened = partial(open_workshop, url, str(folder / "files"), folder / "policies")
            give_back = service.state.batches.give_back
            stack.enter_context(closing(WorkerPool(opened, workers, give_back)))
        parts = urlsplit(service.url)
        proxy = stack.enter_context(cutting((parts.hostname or "", parts.port or 0)))
        yield Place(service, proxy, service.caller(*RIGHTS), folder)
