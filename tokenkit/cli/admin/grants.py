"""``tokenkit admin grant``."""

from typing import TYPE_CHECKING, Annotated

import typer

from tokenkit.cli.admin.workplace import RoleName, UserName, change, reading, show_table
from tokenkit.cli.options import AsJson, Kek, KeyringFile

if TYPE_CHECKING:
    from tokenkit.access.resources import Resource

_Action = Annotated[
    str, typer.Argument(metavar="ACTION", help="An action, AREA.* or *: detokenize, keys.*.")
]
_RESOURCE = "KIND:NAME, with * for anything in the name, or * alone: key:payments, column:orders/*."
_REFUSED = 3


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(no_args_is_help=True, help="What roles may do with which resources.")
    group.command(name="add")(add)
    group.command(name="list")(list_)
    group.command(name="remove")(remove)
    group.command(name="check")(check)
    app.add_typer(group, name="grant")


def add(
    role: RoleName,
    action: _Action,
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help=_RESOURCE)],
    effect: Annotated[
        str,
        typer.Option(
            metavar="allow|masked|deny",
            help="masked shows the last four characters; deny wins over everything.",
        ),
    ] = "allow",
    purpose: Annotated[
        list[str] | None,
        typer.Option(
            "--purpose", metavar="NAME", help="A purpose, of which one must be stated; repeatable."
        ),
    ] = None,
    any_purpose: Annotated[
        bool, typer.Option("--any-purpose", help="A purpose must be stated, whichever.")
    ] = False,
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Add a grant to a role."""
    from tokenkit.access.grants import Grant
    from tokenkit.access.tables.grants import add_grant
    from tokenkit.access.tables.roles import find_role

    if purpose and any_purpose:
        raise typer.BadParameter("name purposes, or take any", param_hint="--any-purpose")
    purposes = (purpose or []) if purpose or any_purpose else None
    grant = Grant.build(effect, action, resource, purposes=purposes)
    with change(keyring, kek) as (work, _):
        number = add_grant(work, find_role(work.connection, role), grant)
    typer.echo(f"Added grant {number} to {role}: {grant}", err=True)


def list_(
    role: Annotated[str | None, typer.Argument(metavar="[ROLE]", help="Only of this role.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show grants and their numbers."""
    from tokenkit.access.tables.grants import list_grants
    from tokenkit.access.tables.roles import find_role, list_roles

    with reading() as connection:
        names = {each.id: each.name for each in list_roles(connection)}
        only = None if role is None else find_role(connection, role)
        rows = [
            {
                "number": found.id,
                "role": names[found.role_id],
                "effect": found.grant.effect,
                "action": found.grant.action,
                "resource": str(found.grant.resource),
                "purposes": None
                if found.grant.purposes is None
                else sorted(found.grant.purposes) or ["any"],
            }
            for found in list_grants(connection, only)
        ]
    show_table("Grants", rows, as_json=as_json)


def remove(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The grant's number.")],
    keyring: KeyringFile = None,
    kek: Kek = None,
) -> None:
    """Remove a grant."""
    from tokenkit.access.tables.grants import remove_grant

    with change(keyring, kek) as (work, _):
        removed = remove_grant(work, number)
    typer.echo(f"Removed: {removed}", err=True)


def check(
    user: UserName,
    action: _Action,
    resource: Annotated[
        list[str] | None,
        typer.Argument(metavar="KIND:NAME ...", help="What is touched: policy:orders key:payments"),
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--purpose", metavar="NAME", help="The purpose that is stated.")
    ] = None,
) -> None:
    """Say what a user's roles allow; ends with 3 if they don't. Codes and scopes don't count."""
    from tokenkit.access.decisions import Rights
    from tokenkit.access.tables.snapshot import load_snapshot
    from tokenkit.access.tables.users import find_user

    touched = _touched(resource or [])
    with reading() as connection:
        found = find_user(connection, user)
        snapshot = load_snapshot(connection)
    facts = snapshot.users.get(found.id)
    roles = [] if facts is None else [snapshot.roles[role] for role in facts.roles]
    rights = Rights(grant for role in roles for grant in role.grants)
    decision = rights.decide(action, touched, purpose)
    typer.echo(f"{decision.outcome}: {decision.reason.replace('_', ' ')}")
    if not decision.allowed:
        raise typer.Exit(_REFUSED)


def _touched(parts: list[str]) -> "Resource":
    from tokenkit.access.resources import KINDS, Resource

    facets: dict[str, str] = {}
    for part in parts:
        kind, colon, name = part.partition(":")
        if kind not in KINDS or not colon or not name:
            raise typer.BadParameter(f"a resource is KIND:NAME, with KIND of {', '.join(KINDS)}")
        if kind == "column":
            policy, _, name = name.partition("/")
            facets["policy"] = policy
        facets[kind.replace("-", "_")] = name
    return Resource(**facets)
