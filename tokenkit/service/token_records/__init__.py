"""Records of tokens: what a caller noted beside one, and until when it may be turned back."""

from tokenkit.service.token_records.record import (
    LONGEST_TOKEN,
    MOST_DETAILS,
    NewRecord,
    State,
    TokenRecord,
    checked_details,
)
from tokenkit.service.token_records.records import TokenRecords

__all__ = [
    "LONGEST_TOKEN",
    "MOST_DETAILS",
    "NewRecord",
    "State",
    "TokenRecord",
    "TokenRecords",
    "checked_details",
]
