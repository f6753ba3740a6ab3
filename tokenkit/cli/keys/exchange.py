"""``tokenkit keys export`` and ``import``: key versions for partners, and Tink keysets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from tokenkit.cli.keys.group import File, OtherKeks, group, keks, version_number
from tokenkit.cli.options import Kek


class _Mode(NamedTuple):
    """The options that a use of a command needs, and those that it allows as well."""

    needed: frozenset[str]
    allowed: frozenset[str] = frozenset()


_EXPORT = _Mode(
    frozenset({"--recipient", "--identity", "--purpose"}), frozenset({"--days", "--passphrase"})
)
_EXPORT_KEYSET = _Mode(frozenset({"--domain"}), frozenset({"--algorithm"}))
_IMPORT = _Mode(
    frozenset({"--sender", "--private", "--purpose"}),
    frozenset({"--passphrase", "--name", "--merge", "--take-primary"}),
)
_IMPORT_KEYSET = _Mode(frozenset({"--name"}))
_Tink = Annotated[bool, typer.Option("--tink", help="A Tink keyset, in clear, as JSON.")]
_Purpose = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the keys are for, as agreed.")
]
_Passphrase = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="Where one's own private key's passphrase is: env:NAME, file:PATH or prompt.",
    ),
]


@group.command("export")
def export(
    file: File,
    versions: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME[@VERSION]...", help="Versions; a name alone is all enabled ones."
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUTPUT", help="The file to write.")
    ],
    kek: Kek = None,
    recipient: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The partner's RSA public key.")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option(metavar="PEM", help="One's own Ed25519 private key.")
    ] = None,
    purpose: _Purpose = None,
    days: Annotated[
        int | None,
        typer.Option(metavar="DAYS", help="For how long it can be imported: 7, at most 90."),
    ] = None,
    passphrase: _Passphrase = None,
    tink: _Tink = False,
    domain: Annotated[
        str | None, typer.Option(metavar="DOMAIN", help="With --tink: the domain of the tokens.")
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(metavar="aes-siv|hmac", help="With --tink: what for; aes-siv without it."),
    ] = None,
) -> None:
    """Write key versions for a partner, or with --tink the keys derived for one domain.

    The file for a partner opens with his RSA key alone. A Tink keyset is in clear: whoever has it
    opens the domain's tokens.
    """
    from tokenkit.cli.keyrings import opened

    given = {
        "--recipient": recipient,
        "--identity": identity,
        "--purpose": purpose,
        "--days": days,
        "--passphrase": passphrase,
        "--domain": domain,
        "--algorithm": algorithm,
    }
    _check(_EXPORT_KEYSET if tink else _EXPORT, given)
    if tink:
        name = _only_name(versions)
        from tokenkit.keys.tink import export_keyset

        with opened(file, kek) as ring:
            exported = export_keyset(
                ring[name],
                output,
                domain=domain or "",
                algorithm=algorithm or "aes-siv",  # type: ignore[arg-type]  # it's checked there
            )
        ids = ", ".join(str(version.id) for version in exported)
        typer.echo(f"Wrote {output}, in clear: {name} in the domain {domain}, key ids {ids}")
        return
    from tokenkit.keys.exchange import export_keys

    with opened(file, kek) as ring:
        exchange = export_keys(
            ring,
            _chosen(versions),
            output,
            recipient=recipient or "",
            identity=identity or "",
            purpose=purpose or "",
            days=7 if days is None else days,
            passphrase=passphrase,
        )
    typer.echo(
        f'Wrote {output}: {_listed(exchange.versions)} for "{exchange.purpose}", '
        f"to be imported until {exchange.expires:%Y-%m-%d %H:%M} UTC"
    )


@group.command("import")
def import_(
    file: File,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="The file to import.")],
    kek: Kek = None,
    other_kek: OtherKeks = None,
    sender: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The sender's Ed25519 public key.")
    ] = None,
    private: Annotated[
        Path | None, typer.Option(metavar="PEM", help="One's own RSA private key.")
    ] = None,
    purpose: _Purpose = None,
    passphrase: _Passphrase = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The key's name here; --tink needs one.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="A key of the same name is the same key.")
    ] = False,
    take_primary: Annotated[
        bool, typer.Option("--take-primary", help="Make tokens with the sender's primary version.")
    ] = False,
    tink: _Tink = False,
) -> None:
    """Take in a partner's key versions, or with --tink a keyset as raw versions of a new key."""
    given = {
        "--sender": sender,
        "--private": private,
        "--purpose": purpose,
        "--passphrase": passphrase,
        "--name": name,
        "--merge": merge or None,
        "--take-primary": take_primary or None,
    }
    _check(_IMPORT_KEYSET if tink else _IMPORT, given)
    if tink:
        from tokenkit.keys import edit_keyring
        from tokenkit.keys.tink import import_keyset

        with edit_keyring(file, keks(kek, other_kek)) as ring:
            key = import_keyset(ring, name or "", source)
            kinds = {version.number: f"{version.id}, {version.kind}" for version in key.versions}
        listed = "; ".join(f"version {number} (id {kind})" for number, kind in kinds.items())
        typer.echo(f"Imported {name}: {listed}")
        return
    from tokenkit.keys.exchange import import_keys

    exchange = import_keys(
        source,
        file,
        keks(kek, other_kek),
        sender=sender or "",
        private=private or "",
        purpose=purpose or "",
        name=name,
        merge=merge,
        take_primary=take_primary,
        passphrase=passphrase,
    )
    typer.echo(f'Imported {_listed(exchange.versions)} for "{exchange.purpose}"')


def _check(mode: _Mode, given: Mapping[str, object]) -> None:
    for name, value in given.items():
        if name in mode.needed and value is None:
            raise typer.BadParameter("it is needed here", param_hint=name)
        if name not in mode.needed | mode.allowed and value is not None:
            raise typer.BadParameter("a Tink keyset and an exchange differ", param_hint=name)


def _only_name(versions: list[str]) -> str:
    if len(versions) != 1 or "@" in versions[0]:
        raise typer.BadParameter(
            "a Tink keyset has all enabled versions of one key: name the key alone"
        )
    return versions[0]


def _chosen(versions: list[str]) -> dict[str, list[int] | None]:
    chosen: dict[str, list[int] | None] = {}
    for written in versions:
        name, at, number = written.partition("@")
        numbers = chosen.setdefault(name, [])
        if not at:
            chosen[name] = None
            continue
        found = version_number(number)
        if numbers is not None:
            numbers.append(found)
    return chosen


def _listed(versions: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name}@{number}" for name in versions for number in versions[name])
