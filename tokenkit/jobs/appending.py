"""Adding to tokens that are there: only what joins with them."""

from collections.abc import Mapping

from tokenkit.errors import JobError
from tokenkit.jobs.preparation import Input
from tokenkit.policy import ColumnMetadata


def check_versions(
    item: Input, columns: Mapping[str, ColumnMetadata], target: str, what: str
) -> None:
    """Refuse to add tokens that don't join with those that are there.

    Parameters
    ----------
    item
        An input, and what becomes of its columns.
    columns
        The columns of tokens that are there, by metadata that is authentic.
    target, what
        Where, and which part of it; for the message.

    Raises
    ------
    JobError
        If they are of other columns, schemes, domains or key versions.
    """
    ours = {
        name: _joining(ColumnMetadata.of(call.rule, call.version))
        for name, call in item.calls.transformed.items()
    }
    if {name: _joining(column) for name, column in columns.items()} != ours:
        raise JobError(
            f"{what} holds tokens of other columns or other key versions",
            file=target,
            hint="write to another place, rekey what is there, or add --force: "
            "tokens of two versions don't join",
        )


def _joining(column: ColumnMetadata) -> dict[str, object]:
    """Give what two columns have to agree on if their tokens are to join."""
    said = column.to_json()
    return {name: said.get(name) for name in ("scheme", "domain", "shape", "key", "tweak")}
