"""The ``tk`` namespaces on Polars expressions, frames and lazy frames."""

from typing import Unpack

import polars as pl

from tokenkit.engines.frame_plan import Recorded, Versions
from tokenkit.engines.options import OnInvalidOutcome, OnInvalidValue, SchemeOptions
from tokenkit.engines.polars import expressions, frames
from tokenkit.keys import Keyring
from tokenkit.policy import PolicySource


@pl.api.register_expr_namespace("tk")
class ExprNamespace:
    """``pl.col("card").tk``: the functions of ``tokenkit.expr`` on an expression."""

    def __init__(self, expr: pl.Expr) -> None:
        self._expr = expr

    def tokenize(
        self,
        scheme: str,
        *,
        on_invalid: OnInvalidValue = "error",
        tweak: pl.Expr | str | None = None,
        **options: Unpack[SchemeOptions],
    ) -> pl.Expr:
        """Replace values by tokens; see :func:`tokenkit.expr.tokenize`.

        Examples
        --------
        >>> import polars as pl, tokenkit as tk
        >>> from tokenkit.hazmat import keyring_from_bytes
        >>> ring = keyring_from_bytes({"people": bytes(range(32))})
        >>> df = pl.DataFrame({"ssn": ["078-05-1120"]})
        >>> df.select(pl.col("ssn").tk.tokenize("us-ssn", key="people", keyring=ring)).item()
        '...-...-...'
        """
        return expressions.tokenize(
            self._expr, scheme, on_invalid=on_invalid, tweak=tweak, **options
        )

    def detokenize(
        self,
        scheme: str,
        *,
        on_invalid: OnInvalidValue = "error",
        tweak: pl.Expr | str | None = None,
        **options: Unpack[SchemeOptions],
    ) -> pl.Expr:
        """Turn tokens back; see :func:`tokenkit.expr.detokenize`."""
        return expressions.detokenize(
            self._expr, scheme, on_invalid=on_invalid, tweak=tweak, **options
        )

    def try_tokenize(
        self,
        scheme: str,
        *,
        on_invalid: OnInvalidOutcome = "null",
        tweak: pl.Expr | str | None = None,
        **options: Unpack[SchemeOptions],
    ) -> pl.Expr:
        """Give ``Struct{token, reason}``; see :func:`tokenkit.expr.try_tokenize`."""
        return expressions.try_tokenize(
            self._expr, scheme, on_invalid=on_invalid, tweak=tweak, **options
        )

    def try_detokenize(
        self,
        scheme: str,
        *,
        on_invalid: OnInvalidOutcome = "null",
        tweak: pl.Expr | str | None = None,
        **options: Unpack[SchemeOptions],
    ) -> pl.Expr:
        """Give ``Struct{token, reason}``; see :func:`tokenkit.expr.try_detokenize`."""
        return expressions.try_detokenize(
            self._expr, scheme, on_invalid=on_invalid, tweak=tweak, **options
        )


@pl.api.register_dataframe_namespace("tk")
class DataFrameNamespace:
    """``df.tk``: a frame by policy."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def tokenize(self, policy: PolicySource, *, keyring: Keyring | None = None) -> pl.DataFrame:
        """Tokenize the columns that the policy names; see :func:`tokenkit.tokenize`."""
        return frames.transform(self._frame, policy, "tokenize", keyring=keyring)

    def detokenize(
        self,
        policy: PolicySource | None = None,
        *,
        keyring: Keyring | None = None,
        versions: Versions = None,
        columns: Recorded | None = None,
    ) -> pl.DataFrame:
        """Turn the columns that the policy names back; see :func:`tokenkit.detokenize`."""
        return frames.transform(
            self._frame,
            policy,
            "detokenize",
            keyring=keyring,
            versions=versions,
            recorded=columns,
        )


@pl.api.register_lazyframe_namespace("tk")
class LazyFrameNamespace:
    """``lf.tk``: a lazy frame by policy. Keys are found now, values are turned when it runs."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def tokenize(self, policy: PolicySource, *, keyring: Keyring | None = None) -> pl.LazyFrame:
        """Tokenize the columns that the policy names; see :func:`tokenkit.tokenize`."""
        return frames.transform(self._frame, policy, "tokenize", keyring=keyring)

    def detokenize(
        self,
        policy: PolicySource | None = None,
        *,
        keyring: Keyring | None = None,
        versions: Versions = None,
        columns: Recorded | None = None,
    ) -> pl.LazyFrame:
        """Turn the columns that the policy names back; see :func:`tokenkit.detokenize`."""
        return frames.transform(
            self._frame,
            policy,
            "detokenize",
            keyring=keyring,
            versions=versions,
            recorded=columns,
        )
