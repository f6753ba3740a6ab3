"""Who works on batches."""
