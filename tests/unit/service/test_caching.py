"""Caches: never larger than they say, never older, and counted right under threads."""

import threading

import pytest

from tokenkit.service.caching import Cache


def test_what_was_used_longest_ago_goes_first():
    """A look counts as use."""
    cache = Cache[str, int]("numbers", 2)
    cache.put_many([("a", 1), ("b", 2)])
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert list(cache) == ["a", "c"]
    assert cache.get("b") is None


def test_nothing_counts_longer_than_stated():
    """From when it was put in, and not from when it was used."""
    now = [0.0]
    cache = Cache[str, int]("numbers", 2, seconds=2, monotonic=lambda: now[0])
    cache.put("a", 1)
    now[0] = 1.9
    assert cache.get("a") == 1
    now[0] = 2.0
    assert cache.get("a") is None
    assert len(cache) == 0


def test_values_that_are_false_are_found():
    """Zero and False are answers; only None stands for nothing."""
    cache = Cache[str, object]("falsities", 2)
    cache.put("a", False)
    cache.put("b", 0)
    assert cache.get_many(["a", "b"]) == {"a": False, "b": 0}


def test_it_is_bounded_and_counted_under_threads():
    """Eight threads, more keys than places: the size holds, and every look is counted once."""
    cache = Cache[int, int]("numbers", 50)

    def use(start):
        for number in range(1000):
            key = (number * 7 + start) % 200
            if cache.get(key) is None:
                cache.put(key, key)
            assert len(cache) <= 50

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = cache.counts
    assert counts.hits + counts.misses == 8000
    assert counts.held == 50


def test_its_repr_shows_no_entry():
    """Nor does an empty size pass."""
    cache = Cache[str, str]("records", 2)
    cache.put("secret", "secret")
    assert "secret" not in repr(cache)
    with pytest.raises(ValueError, match="at least one"):
        Cache[str, str]("none", 0)
