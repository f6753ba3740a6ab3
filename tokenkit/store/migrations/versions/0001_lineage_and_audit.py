"""Lineage and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_APPEND_ONLY = ("audit_records", "audit_batches")
_TABLES = (
    "column_runs",
    "run_inputs",
    "run_outputs",
    "column_edges",
    "runs",
    "policies",
    "datasets",
    "audit_records",
    "audit_batches",
    "audit_head",
)


def upgrade() -> None:
    """Make the tables, what guards them, and who may do what."""
    _make_tables()
    on_postgresql = op.get_context().dialect.name == "postgresql"
    zeros = "decode(repeat('00', 32), 'hex')" if on_postgresql else "zeroblob(32)"
    op.execute(f"INSERT INTO audit_head (id, number, link) VALUES (1, 0, {zeros})")
    if on_postgresql:
        _guard_postgresql()
        _grant()
    else:
        _guard_sqlite()


def downgrade() -> None:
    """Take everything away but the roles, which other databases of the server may use."""
    for table in _TABLES:
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION tokenkit_audit_partition(timestamptz)")
        op.execute("DROP FUNCTION tokenkit_append_only()")
        op.execute("DROP FUNCTION tokenkit_settled()")


def _make_tables() -> None:
    op.create_table(
        "audit_batches",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("written", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("check_value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_batches"),
        sa.UniqueConstraint("id", name="uq_audit_batches_id"),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_audit_head_single"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "audit_records",
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("key_id", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "position", "at", name="pk_audit_records"),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("ix_audit_records_run", "audit_records", ["run"])
    op.create_table(
        "datasets",
        sa.Column("id", _ID, nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("namespace", "name", name="uq_datasets_namespace_name"),
    )
    op.create_index("ix_datasets_name", "datasets", ["name"])
    op.create_table(
        "policies",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_policies"),
    )
    op.create_table(
        "column_edges",
        sa.Column("id", _ID, nullable=False),
        sa.Column("input_dataset_id", _ID, nullable=False),
        sa.Column("input_column", sa.Text(), nullable=False),
        sa.Column("output_dataset_id", _ID, nullable=False),
        sa.Column("output_column", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["input_dataset_id"], ["datasets.id"], name="fk_column_edges_input_dataset_id"
        ),
        sa.ForeignKeyConstraint(
            ["output_dataset_id"], ["datasets.id"], name="fk_column_edges_output_dataset_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_column_edges"),
        sa.UniqueConstraint(
            "output_dataset_id",
            "output_column",
            "input_dataset_id",
            "input_column",
            "action",
            name="uq_column_edges_way",
        ),
    )
    op.create_index(
        "ix_column_edges_input_dataset_id_input_column",
        "column_edges",
        ["input_dataset_id", "input_column"],
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_run", sa.String(length=32), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("tokenkit_version", sa.String(length=64), nullable=False),
        sa.Column("policy_digest", sa.String(length=64), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_written", sa.BigInteger(), nullable=False),
        sa.Column("rows_rejected", sa.BigInteger(), nullable=False),
        sa.Column("rejects", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(length=16), nullable=True),
        sa.Column("proofs", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "status IN ('running', 'publishing', 'complete', 'failed')", name="ck_runs_status"
        ),
        sa.ForeignKeyConstraint(
            ["policy_digest"], ["policies.digest"], name="fk_runs_policy_digest"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_job_run", "runs", ["job_run"])
    op.create_index("ix_runs_started", "runs", ["started"])
    op.create_table(
        "column_runs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("edge_id", _ID, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("scheme", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.Column("key_version", sa.BigInteger(), nullable=True),
        sa.Column("key_id", sa.BigInteger(), nullable=True),
        sa.Column("domain", sa.String(length=64), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("nulls", sa.BigInteger(), nullable=True),
        sa.Column("empty", sa.BigInteger(), nullable=True),
        sa.Column("literal", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.BigInteger(), nullable=True),
        sa.Column("invalid", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["edge_id"], ["column_edges.id"], name="fk_column_runs_edge_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_column_runs_run_id"),
        sa.PrimaryKeyConstraint("run_id", "edge_id", name="pk_column_runs"),
    )
    op.create_index(
        "ix_column_runs_edge_id_started_run_id", "column_runs", ["edge_id", "started", "run_id"]
    )
    op.create_table(
        "run_inputs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_run_inputs_dataset_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_inputs_run_id"),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", name="pk_run_inputs"),
    )
    op.create_index(
        "ix_run_inputs_dataset_id_started_run_id", "run_inputs", ["dataset_id", "started", "run_id"]
    )
    op.create_table(
        "run_outputs",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("files", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_run_outputs_dataset_id"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_outputs_run_id"),
        sa.PrimaryKeyConstraint("run_id", "dataset_id", name="pk_run_outputs"),
    )
    op.create_index(
        "ix_run_outputs_dataset_id_started_run_id",
        "run_outputs",
        ["dataset_id", "started", "run_id"],
    )


def _guard_sqlite() -> None:
    for table in (*_APPEND_ONLY, "audit_head"):
        ways = ("UPDATE", "DELETE") if table in _APPEND_ONLY else ("DELETE",)
        for way in ways:
            op.execute(
                f"CREATE TRIGGER {table}_no_{way.lower()} BEFORE {way} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    op.execute(
        "CREATE TRIGGER runs_settled BEFORE UPDATE ON runs "
        "WHEN OLD.status IN ('complete', 'failed') "
        "BEGIN SELECT RAISE(ABORT, 'the record of a run that has ended is append-only'); END"
    )


def _guard_postgresql() -> None:
    op.execute("""
        CREATE FUNCTION tokenkit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege';
        END $$
    """)
    for table in _APPEND_ONLY:
        op.execute(f"""
            CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION tokenkit_append_only()
        """)
    for table in (*_APPEND_ONLY, "audit_head"):
        op.execute(f"""
            CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION tokenkit_append_only()
        """)
    op.execute("""
        CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
        FOR EACH ROW EXECUTE FUNCTION tokenkit_append_only()
    """)
    op.execute("""
        CREATE FUNCTION tokenkit_settled() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the record of a run that has ended is append-only'
                USING ERRCODE = 'insufficient_privilege';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER runs_settled BEFORE UPDATE ON runs
        FOR EACH ROW WHEN (OLD.status IN ('complete', 'failed'))
        EXECUTE FUNCTION tokenkit_settled()
    """)
    # Whoever writes records may not make tables; this makes the month's, and nothing else. It runs
    # as the tables' owner, so its search path is pinned, and functions are called by their schema:
    # in one that others may write to, theirs could fit the call better. The lock waits for others
    # that make one, and for nobody who reads or writes records; a partition is attached, since
    # making it in its place would wait for them all. Unlike an advisory lock, this one also brings
    # what is known of the tables up to date.
    op.execute("""
        DO $outer$ BEGIN EXECUTE format($make$
            CREATE FUNCTION tokenkit_audit_partition(moment timestamptz) RETURNS void
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = %1$I, pg_temp AS $$
            DECLARE
                month timestamp := pg_catalog.date_trunc('month', moment AT TIME ZONE 'UTC');
                name text := 'audit_records_' || pg_catalog.to_char(month, 'YYYY_MM');
                whole text := pg_catalog.format('%%I.%%I', %1$L, name);
            BEGIN
                IF pg_catalog.to_regclass(whole) IS NOT NULL THEN RETURN; END IF;
                LOCK TABLE audit_records IN SHARE UPDATE EXCLUSIVE MODE;
                IF pg_catalog.to_regclass(whole) IS NOT NULL THEN RETURN; END IF;
                EXECUTE pg_catalog.format(
                    'CREATE TABLE %%s (LIKE audit_records INCLUDING ALL)', whole
                );
                EXECUTE pg_catalog.format(
                    'ALTER TABLE audit_records ATTACH PARTITION %%s FOR VALUES FROM (%%L) TO (%%L)',
                    whole, month AT TIME ZONE 'UTC',
                    (month + interval '1 month') AT TIME ZONE 'UTC'
                );
                EXECUTE pg_catalog.format(
                    'CREATE TRIGGER %%I BEFORE TRUNCATE ON %%s '
                    'FOR EACH STATEMENT EXECUTE FUNCTION tokenkit_append_only()',
                    name || '_no_truncate', whole
                );
                EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON %%s TO tokenkit_writer', whole);
                EXECUTE pg_catalog.format('GRANT SELECT ON %%s TO tokenkit_reader', whole);
            END $$
        $make$, current_schema()); END $outer$
    """)


def _grant() -> None:
    for role in ("tokenkit_writer", "tokenkit_reader"):
        op.execute(f"""
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- Another database of this server was upgraded at the same time.
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'no right to make roles' USING ERRCODE = 'TK001';
            END $$
        """)
        # Everybody may use the schema public, but no other.
        op.execute(f"""
            DO $$ BEGIN
                IF NOT has_schema_privilege('{role}', current_schema(), 'USAGE') THEN
                    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
                END IF;
            END $$
        """)
    every = ", ".join((*_TABLES, "alembic_version"))
    op.execute(f"GRANT SELECT ON {every} TO tokenkit_writer, tokenkit_reader")
    op.execute(f"GRANT INSERT ON {', '.join(_TABLES)} TO tokenkit_writer")
    op.execute("REVOKE INSERT ON audit_head FROM tokenkit_writer")
    op.execute("GRANT UPDATE (number, link) ON audit_head TO tokenkit_writer")
    op.execute("""
        GRANT UPDATE (status, ended, policy_digest, rows_read, rows_written, rows_rejected, rejects,
            error_code, proofs) ON runs TO tokenkit_writer
    """)
    op.execute("GRANT USAGE ON SEQUENCE datasets_id_seq, column_edges_id_seq TO tokenkit_writer")
    op.execute("REVOKE ALL ON FUNCTION tokenkit_audit_partition(timestamptz) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION tokenkit_audit_partition(timestamptz) TO tokenkit_writer")
