"""Batch jobs: files that are uploaded, worked on, and fetched."""
