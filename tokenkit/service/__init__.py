"""The service: REST over access, policies and engines; see docs/service.md."""
