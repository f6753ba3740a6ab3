"""Objects of a store (Amazon S3, Google Cloud Storage, Azure), read and written as files."""

from tokenkit.jobs.objects.place import ObjectPlace, place_of

__all__ = ["ObjectPlace", "place_of"]
