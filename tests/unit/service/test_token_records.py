"""Token records: kept sealed, found in one query, enforced for their caller alone."""

import json
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, func, select, text

from tests.unit.access.accounts import START
from tokenkit.errors import (
    InvalidRequest,
    KeyVersionDisabled,
    NotAuthentic,
    StoreError,
    UnknownResource,
)
from tokenkit.service.token_records import NewRecord, TokenRecords, checked_details
from tokenkit.store.database import Database
from tokenkit.store.models.service import TokenRecordRow

TOKEN = "4929009988776655"
OTHER = "4929001122334455"


@pytest.fixture
def records(database, ring, clock):
    """Keep records in a database of each back end."""
    return TokenRecords(database, lambda: ring, clock=clock, monotonic=clock.monotonic)


def new(token=TOKEN, *, key_id=7, domain="credit-card", **more):
    return NewRecord(
        token=token, key="payments", key_id=key_id, domain=domain, scheme="credit-card", **more
    )


def ended(records, caller, *tokens, key_id=7, domain="credit-card"):
    return records.ended(caller, key_id, domain, tokens or [TOKEN])


def revoke(records, record):
    with records._database.begin() as connection:
        done = records.revoke(connection, record)
    records.forget()
    return done


def queries(database, call):
    """Count the statements that a call sends."""
    sent: list[str] = []

    def note(connection, cursor, statement, *rest):
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        call()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return [each for each in sent if each.startswith("SELECT")]


def test_what_is_kept_comes_back(records, callers, clock):
    """By its id and in the caller's list, with token, metadata and moments."""
    expires = START + timedelta(days=1)
    (kept,) = records.keep(callers[0], [new(metadata={"order": 17}, expires=expires)])
    assert records.find(kept.id) == kept
    assert (kept.token, kept.metadata, kept.expires) == (TOKEN, {"order": 17}, expires)
    assert (kept.created, kept.version, kept.state(clock())) == (START, 1, "active")
    assert records.listed(callers[0]) == [kept]
    assert records.listed(callers[1]) == []
    assert TOKEN not in repr(kept)
    with pytest.raises(UnknownResource):
        records.find(uuid4())


def test_a_token_expires_for_its_caller_alone(records, callers, clock):
    """Another caller, key version or domain has a record of its own, or none."""
    at = START + timedelta(minutes=1)
    records.keep(callers[0], [new(expires=at)])
    records.keep(callers[1], [new(expires=None)])
    assert ended(records, callers[0]) == {}
    clock.advance(seconds=59)
    assert ended(records, callers[0]) == {}
    clock.advance(seconds=1)
    assert ended(records, callers[0], OTHER, None, "", TOKEN) == {3: "expired"}
    assert ended(records, callers[1]) == {}
    assert ended(records, callers[0], key_id=8) == {}
    assert ended(records, callers[0], domain="cards") == {}


def test_a_revocation_is_for_good_and_for_its_caller_alone(records, callers):
    """Keeping the token again doesn't bring it back; another caller's record isn't touched."""
    mine, theirs = (records.keep(caller, [new()])[0] for caller in callers)
    assert revoke(records, mine.id)
    assert not revoke(records, mine.id)
    assert ended(records, callers[0]) == {0: "revoked"}
    assert ended(records, callers[1]) == {}
    (again,) = records.keep(callers[0], [new(expires=START + timedelta(days=9))])
    assert (again.id, again.revoked, again.expires) == (mine.id, START, None)
    assert ended(records, callers[0]) == {0: "revoked"}
    assert records.find(theirs.id).version == 1


def test_kept_again_it_is_one_record(records, callers, clock):
    """With the new end and metadata, and a version counted up; the last of two in a list counts."""
    (first,) = records.keep(callers[0], [new(metadata={"a": 1}, expires=START + timedelta(1))])
    clock.advance(seconds=5)
    second = records.keep(callers[0], [new(metadata={"b": 2}), new(metadata={"c": 3})])
    assert [each.id for each in second] == [first.id, first.id]
    assert second[0].metadata == {"c": 3}
    assert (second[0].version, second[0].expires, second[0].created) == (2, None, START)


def test_numbers_are_tokens_too(records, callers, clock):
    """Of a column of integers, as their decimal digits."""
    records.keep(callers[0], [new("123456", expires=START + timedelta(seconds=1))])
    clock.advance(seconds=2)
    assert records.ended(callers[0], 7, "credit-card", [123456, 654321]) == {0: "expired"}


def test_a_batch_is_one_query(database, records, callers):
    """Ten thousand tokens, of which some are kept; then none, while they are held."""
    records.keep(callers[0], [new(str(4 * 10**15 + number)) for number in range(500)])
    tokens = [str(4 * 10**15 + number) for number in range(10_000)]
    ended(records, callers[0], TOKEN)  # Now it is known that something is kept there.
    assert len(queries(database, lambda: ended(records, callers[0], *tokens))) == 1
    assert queries(database, lambda: ended(records, callers[0], *tokens)) == []


def test_who_keeps_nothing_asks_once(database, records, callers, clock):
    """Whether anything is kept is held for two seconds, and then asked again."""
    assert records.is_any_kept(callers[0], 7, "credit-card") is None
    assert len(queries(database, lambda: ended(records, callers[0]))) == 1
    assert records.is_any_kept(callers[0], 7, "credit-card") is False
    assert queries(database, lambda: ended(records, callers[0])) == []
    clock.advance(seconds=2)
    assert records.is_any_kept(callers[0], 7, "credit-card") is None


def test_another_workers_revocation_counts_in_time(database, records, callers, ring, clock):
    """What is held is never older than two seconds."""
    other = TokenRecords(database, lambda: ring, clock=clock, monotonic=clock.monotonic)
    (kept,) = records.keep(callers[0], [new()])
    assert ended(other, callers[0]) == {}
    revoke(records, kept.id)
    clock.advance(seconds=2)
    assert ended(other, callers[0]) == {0: "revoked"}


def test_what_was_purged_stays_expired(records, callers, clock, ring):
    """Metadata goes, the list forgets it, and the token still isn't turned back."""
    (kept,) = records.keep(callers[0], [new(metadata={"a": 1}, expires=START + timedelta(1))])
    (lasting,) = records.keep(callers[0], [new(OTHER)])
    assert records.purge() == 0
    clock.advance(days=2)
    assert records.purge(START) == 0
    assert records.purge() == 1
    assert records.purge() == 0
    with pytest.raises(UnknownResource):
        records.find(kept.id)
    assert records.listed(callers[0]) == [lasting]
    assert ended(records, callers[0]) == {0: "expired"}
    (renewed,) = records.keep(callers[0], [new()])
    assert (renewed.id, renewed.metadata) == (kept.id, None)
    assert ended(records, callers[0]) == {}


def test_rows_go_with_the_key_that_made_their_tokens(database, records, callers, ring):
    """Once its version is destroyed nobody turns them back, and purging deletes them."""
    made = ring["payments"].primary.id
    records.keep(callers[0], [new(key_id=made), new(OTHER, key_id=made + 1)])
    ring.rotate("payments")
    ring.disable("payments", 1)
    assert records.purge() == 0
    ring.destroy("payments", 1)
    assert records.purge() == 1
    with database.read() as connection:
        assert connection.execute(select(TokenRecordRow.key_id)).scalars().all() == [made + 1]


def test_a_rotated_key_still_finds(database, records, callers, ring, clock):
    """Also once the old version is disabled; a token that is kept again moves to the new one."""
    (kept,) = records.keep(callers[0], [new(metadata={"a": 1}, expires=START + timedelta(1))])
    old = ring["access"].primary.id
    ring.rotate("access")
    clock.advance(days=2)
    assert ended(records, callers[0]) == {0: "expired"}
    (again,) = records.keep(callers[0], [new(metadata={"a": 2})])
    assert (again.id, again.version) == (kept.id, 2)
    with database.read() as connection:
        under = connection.execute(select(TokenRecordRow.sealed_under)).scalars().all()
    assert under == [ring["access"].primary.id] != [old]
    assert records.find(kept.id).metadata == {"a": 2}


def test_a_disabled_key_finds_and_a_destroyed_one_refuses(records, callers, ring, clock):
    """Rather than turn back what has expired; sealing anew first keeps it working."""
    records.keep(callers[0], [new(expires=START + timedelta(seconds=1))])
    (fine,) = records.keep(callers[0], [new(OTHER, metadata={"a": 1})])
    clock.advance(seconds=5)
    for number in (1, 2):
        ring.rotate("access")
        if number == 1:
            assert records.reseal() == 2
            assert records.reseal() == 0
        ring.disable("access", number)
        assert ended(records, callers[0]) == {0: "expired"}
        ring.destroy("access", number)
        clock.advance(seconds=5)
        if number == 1:
            assert ended(records, callers[0]) == {0: "expired"}
            assert records.find(fine.id).metadata == {"a": 1}
    with pytest.raises(KeyVersionDisabled, match="reseal"):
        ended(records, callers[0])
    assert ended(records, callers[1]) == {}


def test_of_two_seals_of_a_token_the_stricter_stays(database, records, callers, ring):
    """As two workers may make them while a key is rotated; sealing anew makes them one."""
    (kept,) = records.keep(callers[0], [new()])
    revoke(records, kept.id)
    with database.begin() as connection:
        # As if another worker hadn't seen it.
        connection.execute(text("UPDATE token_records SET key_id = 8"))
    ring.rotate("access")
    (other,) = records.keep(callers[0], [new()])
    with database.begin() as connection:
        connection.execute(text("UPDATE token_records SET key_id = 7"))
    assert ended(records, callers[0]) == {0: "revoked"}
    assert records.reseal() == 1
    assert ended(records, callers[0]) == {0: "revoked"}
    with database.read() as connection:
        rows = connection.execute(select(TokenRecordRow.id, TokenRecordRow.revoked)).all()
    assert rows == [(other.id, START)]


def test_the_list_has_stable_places(records, callers, clock):
    """Each page goes on where the last one ended, whatever was added meanwhile."""
    for number in range(7):
        records.keep(callers[0], [new(str(10**10 + number))])
        clock.advance(seconds=number % 2)
    whole = records.listed(callers[0])
    seen, after = [], None
    while page := records.listed(callers[0], after=after, count=2):
        seen += page
        after = (page[-1].created, page[-1].id)
    assert seen == whole
    assert len({each.id for each in seen}) == 7


@pytest.mark.parametrize(
    "bad",
    [
        {"metadata": {"x": "y" * 5000}},
        {"metadata": {"x": float("nan")}},
        {"metadata": {"x": "\ud800"}},
        {"expires": START},
        {"expires": START.replace(tzinfo=None) + timedelta(1)},
        {"token": ""},
        {"token": "x" * 9000},
        {"token": "\ud800"},
    ],
    ids=str,
)
def test_what_can_not_be_kept_is_refused_whole(database, records, callers, bad):
    """Nothing of the list is kept, and nothing of it is quoted."""
    with pytest.raises(InvalidRequest) as caught:
        records.keep(callers[0], [new(OTHER), new(**{"token": TOKEN, **bad})])
    assert "yyy" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    with database.read() as connection:
        assert connection.execute(select(func.count(TokenRecordRow.id))).scalar_one() == 0


def test_hostile_nesting_is_refused():
    """Thousands of levels end in an error, and not in the interpreter's stack."""
    deep = json.loads('{"a":' * 400 + "1" + "}" * 400)
    with pytest.raises(InvalidRequest, match="deeply"):
        checked_details(deep)


def test_no_token_and_no_metadata_stand_in_the_database(database, records, callers):
    """In no cell, whatever its form."""
    records.keep(callers[0], [new(metadata={"name": "Canary Person"})])
    with database.read() as connection:
        cells = [
            cell if isinstance(cell, bytes) else str(cell).encode()
            for cell in connection.execute(select(*TokenRecordRow.__table__.columns)).one()
        ]
    whole = b"\n".join(cells)
    for secret in (TOKEN.encode(), b"Canary", b"name"):
        assert secret not in whole
        assert secret.hex().encode() not in whole


def test_a_seal_can_not_be_moved_to_another_record(database, records, callers):
    """Metadata that the database's owner moves elsewhere isn't opened."""
    one, two = records.keep(callers[0], [new(metadata={"a": 1}), new(OTHER, metadata={"b": 2})])
    with database.begin() as connection:
        connection.execute(
            text("UPDATE token_records SET details = (SELECT max(details) FROM token_records)")
        )
    outcomes = []
    for record in (one, two):
        try:
            outcomes.append(records.find(record.id).metadata)
        except NotAuthentic:
            outcomes.append(None)
    assert None in outcomes


def test_many_keep_one_token_at_once(database, records, callers):
    """One record, and a version for each; nobody waits for ever, whatever the order."""
    tokens = [str(10**12 + number) for number in range(20)]
    failures: list[Exception] = []

    def keep(number):
        order = tokens if number % 2 else tokens[::-1]
        try:
            records.keep(callers[0], [new(each) for each in order])
        except Exception as exc:  # noqa: BLE001 - shown below
            failures.append(exc)

    threads = [threading.Thread(target=keep, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.read() as connection:
        versions = connection.execute(select(TokenRecordRow.version)).scalars().all()
    assert versions == [6] * 20


def test_the_service_may_keep_and_the_others_may_not(postgresql, ring, clock):
    """The role of the service is enough; the writer sees nothing, the reader no seal."""
    server = postgresql.server
    server.execute(
        "DO $$ BEGIN CREATE USER ann_service IN ROLE tokenkit_writer, tokenkit_service; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    caller = uuid4()
    server.execute(
        "INSERT INTO users (id, name, kind, created, created_by) "
        f"VALUES ('{caller}', 'app', 'service', now(), 'x')",
        database=postgresql.name,
    )
    with Database.open(server.url(postgresql.name, "ann_service")) as database:
        records = TokenRecords(database, lambda: ring, clock=clock, monotonic=clock.monotonic)
        (kept,) = records.keep(caller, [new(metadata={"a": 1}, expires=START + timedelta(1))])
        assert revoke(records, kept.id)
        assert ended(records, caller) == {0: "revoked"}
        clock.advance(days=2)
        assert records.purge() == 1
    for url, statement, allowed in [
        (postgresql.reader_url, "SELECT id, expires, revoked FROM token_records", True),
        (postgresql.reader_url, "SELECT sealed FROM token_records", False),
        (postgresql.reader_url, "SELECT details FROM token_records", False),
        (postgresql.reader_url, "SELECT 1 FROM idempotency_keys", False),
        (postgresql.writer_url, "SELECT id FROM token_records", False),
        (
            postgresql.writer_url,
            "INSERT INTO quota_uses VALUES (gen_random_uuid(), now(), 0)",
            False,
        ),
    ]:
        with Database.open(url) as database:
            if allowed:
                with database.begin() as connection:
                    connection.execute(text(statement))
            else:
                with pytest.raises(StoreError), database.begin() as connection:
                    connection.execute(text(statement))
