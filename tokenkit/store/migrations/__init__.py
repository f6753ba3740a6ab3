"""The store's migrations; :mod:`tokenkit.store.upgrading` runs them."""
