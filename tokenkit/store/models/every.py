"""The base of the models, with every table in its metadata: for migrations, and what holds them."""

from tokenkit.store.models import access, audit, batches, lineage, service
from tokenkit.store.models.declarative import Base

__all__ = ["Base", "access", "audit", "batches", "lineage", "service"]
