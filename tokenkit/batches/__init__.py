"""Batch jobs: files that are uploaded, worked on, and fetched; see docs/batches.md."""
