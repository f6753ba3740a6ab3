"""A column call that is made many times: its specification is written once."""

import pyarrow as pa

from tokenkit import _native
from tokenkit.engines.column import ColumnCall
from tokenkit.errors import UnsupportedType, translated


class PreparedColumn:
    """Runs a call that tells a reason for each value, on one Arrow array after the other.

    Parameters
    ----------
    call
        What to do; its output is ``outcome``.

    Examples
    --------
    >>> from tokenkit.hazmat import keyring_from_bytes
    >>> from tokenkit.policy import ColumnRule
    >>> ring = keyring_from_bytes({"people": bytes(range(32))})
    >>> rule = ColumnRule.build("digits", key="people")
    >>> version = ring["people"].primary
    >>> call = ColumnCall(rule=rule, version=version, operation="tokenize", output="outcome")
    >>> tokens, reasons = PreparedColumn(call).run(pa.array(["0042719365", "12"]))
    >>> tokens.null_count, reasons.to_pylist()
    (1, [None, 'too_short'])
    """

    __slots__ = ("_one", "_specification", "call")

    def __init__(self, call: ColumnCall) -> None:
        self.call = call
        self._specification = call.specification
        with translated():
            self._one = _native.ValueTransform(self._specification)

    def run_one(
        self, value: str | int | None, tweak: str | None = None
    ) -> tuple[str | int | None, str | None]:
        """Give what one value becomes, and why if it doesn't fit; as :meth:`run` does of an array.

        Raises
        ------
        UnsupportedType
            If the value is neither a string nor an integer of 64 bits, or the scheme doesn't take
            integers.
        KeyringError
            If the key is no longer loaded.

        Examples
        --------
        >>> from tokenkit.hazmat import keyring_from_bytes
        >>> from tokenkit.policy import ColumnRule
        >>> ring = keyring_from_bytes({"people": bytes(range(32))})
        >>> rule = ColumnRule.build("digits", key="people")
        >>> version = ring["people"].primary
        >>> call = ColumnCall(rule=rule, version=version, operation="tokenize", output="outcome")
        >>> PreparedColumn(call).run_one("12")
        (None, 'too_short')
        """
        with translated():
            return self._one.run(value, tweak)

    def run(self, values: pa.Array, tweaks: pa.Array | None = None) -> tuple[pa.Array, pa.Array]:
        """Give what each value becomes, and why the others don't fit.

        Parameters
        ----------
        values
            Strings or integers.
        tweaks
            The tweak of each value, if the call has one.

        Raises
        ------
        UnsupportedType
            If the values are of another type.
        TweakMismatch
            If there isn't a tweak for each value.
        KeyringError
            If the key is no longer loaded.
        """
        if isinstance(values.type, pa.BaseExtensionType):
            raise UnsupportedType("an array of an extension type can't be tokenized")
        with translated():
            outcome = pa.array(_native.transform(self._specification, values, "", tweaks))
        return outcome.field(0), outcome.field(1)
