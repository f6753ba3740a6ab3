"""The formats: each module is one, found by its `FORMAT`."""
