"""Access in the store's tables. Each function works in the caller's transaction."""
