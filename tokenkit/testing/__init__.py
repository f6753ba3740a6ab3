"""What users' own tests and demonstrations may use: made-up data, seeded and deterministic."""

from tokenkit.testing.customers import customers, write_customers

__all__ = ["customers", "write_customers"]
