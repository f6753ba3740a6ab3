"""Places of objects, and the clients that are made for them, without a store."""

import pytest

from tokenkit.errors import JobError
from tokenkit.jobs.objects import ObjectPlace
from tokenkit.jobs.objects.stores import options_of, store_of

AZURE = {"azure_storage_account_name": "account", "azure_storage_account_key": "c2VjcmV0"}


@pytest.mark.parametrize(
    ("url", "options", "kind"),
    [
        ("s3://lake/a.csv", {"AWS_REGION": "eu-north-1", "aws_allow_http": "true"}, "S3Store"),
        ("s3a://lake/a.csv", {"aws_access_key_id": "i", "aws_secret_access_key": "s"}, "S3Store"),
        ("gs://lake/a.csv", {"google_skip_signature": "true", "timeout": "10s"}, "GCSStore"),
        ("az://lake/a.csv", AZURE, "AzureStore"),
        ("abfss://lake@account.dfs.core.windows.net/a.csv", AZURE, "AzureStore"),
    ],
)
def test_each_store_has_a_client(url, options, kind):
    """A client is made for every scheme; nothing of its options shows."""
    place = ObjectPlace(url, options)
    client = store_of(place)
    assert type(client).__name__ == kind
    assert repr(place) == f"ObjectPlace(url={url!r})"


def test_options_have_the_names_of_polars():
    """Names are small letters; those of the client lose the store's prefix."""
    found = options_of(ObjectPlace("s3://lake/a", {"AWS_ALLOW_HTTP": "true", "AWS_REGION": "x"}))
    assert found == {"allow_http": "true", "aws_region": "x", "max_retries": 4}


def test_an_option_of_another_store_is_refused():
    """What the store doesn't know is an error that says no value."""
    place = ObjectPlace("gs://lake/a.csv", {"aws_secret_access_key": "made-up-secret"})
    with pytest.raises(JobError) as caught:
        store_of(place)
    assert "made-up-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "bucket", "key", "prefix", "name"),
    [
        ("s3://lake", "lake", "", "", ""),
        ("s3://lake/", "lake", "", "", ""),
        ("s3://lake/in/", "lake", "in/", "in", "in"),
        ("gs://lake/in/*/a?.csv", "lake", "in/*/a?.csv", "in", "a?.csv"),
        ("az://lake/*.csv", "lake", "*.csv", "", "*.csv"),
        ("s3://lake/c=A%2FB/ü x.csv", "lake", "c=A%2FB/ü x.csv", "c=A%2FB/ü x.csv", "ü x.csv"),
    ],
)
def test_the_parts_of_a_url(url, bucket, key, prefix, name):
    """A key is what stands behind the bucket, without escapes."""
    place = ObjectPlace(url)
    assert (place.bucket, place.key, place.prefix, place.name) == (bucket, key, prefix, name)
