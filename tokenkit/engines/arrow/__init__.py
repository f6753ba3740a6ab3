"""pyarrow: arrays, tables, record batches and readers."""
