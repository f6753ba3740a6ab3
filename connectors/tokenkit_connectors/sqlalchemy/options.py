"""What job files say of a SQLAlchemy URL."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class SourceOptions(BaseModel):
    """A table, a view or a query to read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: SecretStr = Field(description="DIALECT+DRIVER://USER:PASSWORD@HOST/DATABASE")
    table: str | None = Field(None, description="The table or view: NAME, or SCHEMA.NAME.")
    query: str | None = Field(None, description="A SELECT, in place of a table.", repr=False)
    types: dict[str, str] = Field(
        default_factory=dict,
        description="Types of columns, where the database doesn't tell: {price: 'Decimal(12,2)'}.",
    )
