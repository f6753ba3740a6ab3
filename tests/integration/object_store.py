"""moto's S3, as a server on the loopback device."""

from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tokenkit.jobs.objects import ObjectPlace

BUCKET = "lake"
SECRET = "made-up-secret-of-the-store"
OPTIONS = {
    "aws_access_key_id": "made-up-id",
    "aws_secret_access_key": SECRET,
    "aws_region": "us-east-1",
    "allow_http": "true",
    "max_retries": "1",
}


class ObjectStore:
    """A bucket of moto's server, seen with another client than ours."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.options = {**OPTIONS, "aws_endpoint_url": endpoint}
        self._client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id="made-up-id",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )
        self._client.create_bucket(Bucket=BUCKET)

    def place(self, key):
        """Give the place of an object."""
        return ObjectPlace(f"s3://{BUCKET}/{key}", self.options)

    def put(self, key, content):
        """Write an object."""
        self._client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key):
        """Read an object."""
        return self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def keys(self):
        """List the objects."""
        found = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return sorted(each["Key"] for each in found)

    def uploads(self):
        """List the uploads that aren't complete."""
        found = self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return [each["Key"] for each in found]

    def clear(self):
        """Remove everything."""
        for key in self.keys():
            self._client.delete_object(Bucket=BUCKET, Key=key)
        for each in self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            self._client.abort_multipart_upload(
                Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"]
            )


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Give the address of moto's server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_bucket(s3_server):
    """Give a bucket."""
    return ObjectStore(s3_server)


@pytest.fixture
def s3(s3_bucket, monkeypatch):
    """Give an empty bucket, and no credentials of this machine's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    s3_bucket.clear()
    return s3_bucket
