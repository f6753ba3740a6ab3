"""Access: users and their secrets, sessions, API keys, roles and grants."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "user_totp",
    "user_passwords",
    "sessions",
    "role_members",
    "recovery_codes",
    "grants",
    "api_keys",
    "users",
    "sign_in_attempts",
    "roles",
    "known_networks",
    "access_state",
)
_READABLE = ("users", "roles", "role_members", "grants")
_READABLE_COLUMNS = {
    "sessions": "id, user_id, created, last_used, ends, stepped_up, revoked",
    "api_keys": "id, user_id, name, shown, scopes, created, created_by, ends, last_used, revoked, "
    "successor_id",
    "access_state": "id, version, bootstrapped",
}


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    _make_accounts()
    _make_rights()
    op.execute("INSERT INTO access_state (id, version) VALUES (1, 1)")
    if op.get_context().dialect.name == "postgresql":
        _grant()


def downgrade() -> None:
    """Take the tables away; the role stays, which other databases of the server may use."""
    for table in _TABLES:
        op.drop_table(table)


def _grant() -> None:
    op.execute("""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tokenkit_service') THEN
                CREATE ROLE tokenkit_service NOLOGIN;
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- Another database of this server was upgraded at the same time.
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'no right to make roles' USING ERRCODE = 'TK001';
        END $$
    """)
    op.execute("""
        DO $$ BEGIN
            IF NOT has_schema_privilege('tokenkit_service', current_schema(), 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO tokenkit_service', current_schema());
            END IF;
        END $$
    """)
    # Whoever writes records of jobs has nothing to do with rights; whoever reads sees no secret,
    # not even as a hash.
    every = ", ".join(_TABLES)
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {every} TO tokenkit_service")
    op.execute("REVOKE INSERT, DELETE ON access_state FROM tokenkit_service")
    op.execute("REVOKE DELETE ON users, api_keys FROM tokenkit_service")
    op.execute("GRANT USAGE ON SEQUENCE roles_id_seq, grants_id_seq TO tokenkit_service")
    op.execute(f"GRANT SELECT ON {', '.join(_READABLE)} TO tokenkit_reader")
    for table, columns in _READABLE_COLUMNS.items():
        op.execute(f"GRANT SELECT ({columns}) ON {table} TO tokenkit_reader")


def _make_accounts() -> None:
    op.create_table(
        "known_networks",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_known_networks"),
    )
    op.create_index("ix_known_networks_last", "known_networks", ["last"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("subject", name="pk_sign_in_attempts"),
    )
    op.create_index("ix_sign_in_attempts_last", "sign_in_attempts", ["last"])
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('person', 'service')", name="ck_users_kind"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("shown", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("successor_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(["successor_id"], ["api_keys.id"], name="fk_api_keys_successor_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("digest", name="uq_api_keys_digest"),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_recovery_codes_user_id"),
        sa.PrimaryKeyConstraint("user_id", "digest", name="pk_recovery_codes"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stepped_up", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
    )
    op.create_index("ix_sessions_ends", "sessions", ["ends"])
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "user_passwords",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_passwords_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_passwords"),
    )
    op.create_table(
        "user_totp",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("confirmed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("pending", sa.Text(), nullable=True),
        sa.Column("pending_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_totp_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_user_totp"),
    )


def _make_rights() -> None:
    op.create_table(
        "access_state",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("bootstrapped", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name="ck_access_state_single"),
        sa.PrimaryKeyConstraint("id", name="pk_access_state"),
    )
    op.create_table(
        "roles",
        sa.Column("id", _ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("requires_mfa", sa.Boolean(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
    )
    op.create_table(
        "grants",
        sa.Column("id", _ID, nullable=False),
        sa.Column("role_id", _ID, nullable=False),
        sa.Column("effect", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("purposes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("effect IN ('allow', 'masked', 'deny')", name="ck_grants_effect"),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_grants_role_id"),
        sa.PrimaryKeyConstraint("id", name="pk_grants"),
        sa.UniqueConstraint(
            "role_id",
            "effect",
            "action",
            "kind",
            "name",
            name="uq_grants_role_id_effect_action_kind_name",
        ),
    )
    op.create_table(
        "role_members",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", _ID, nullable=False),
        sa.Column("granted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_role_members_role_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_role_members_user_id"),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_role_members"),
    )
    op.create_index("ix_role_members_role_id", "role_members", ["role_id"])
