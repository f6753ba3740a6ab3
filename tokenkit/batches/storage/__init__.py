"""Where uploads and results lie: sealed, page by page, under a key of each batch."""

from tokenkit.batches.storage.batch_keys import new_batch_key, open_batch_key, seal_batch_key
from tokenkit.batches.storage.pages import SealedReader, SealedWriter
from tokenkit.batches.storage.stored import BatchStorage, Role

__all__ = [
    "BatchStorage",
    "Role",
    "SealedReader",
    "SealedWriter",
    "new_batch_key",
    "open_batch_key",
    "seal_batch_key",
]
