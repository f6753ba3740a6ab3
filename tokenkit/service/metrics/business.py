"""Who uses the service, as the store knows it: the same whichever worker is asked."""

from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import func, or_, select, union

from tokenkit.access.tables.changes import utc_now
from tokenkit.service.metrics.held import HeldCollector
from tokenkit.store.database import Database
from tokenkit.store.models.access import ApiKeyRow, SessionRow

_HELD_SECONDS = 5.0
_WINDOWS = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


class UseCollector(HeldCollector):
    """Counts active users and API keys in use, every five seconds at most.

    Parameters
    ----------
    database
        The store's database. While it can't be read these metrics are left out.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(_HELD_SECONDS)
        self._database = database

    def looked(self) -> list[Metric]:
        """Look at when sessions and API keys were used last."""
        now = utc_now()
        users = GaugeMetricFamily(
            "tokenkit_active_users", "Users who came within the time.", labels=["window"]
        )
        used = GaugeMetricFamily(
            "tokenkit_used_api_keys", "API keys that were used within the time.", labels=["window"]
        )
        with self._database.read() as connection:
            for window, length in _WINDOWS.items():
                came = union(
                    select(SessionRow.user_id).where(SessionRow.last_used >= now - length),
                    select(ApiKeyRow.user_id).where(ApiKeyRow.last_used >= now - length),
                ).subquery()
                found = connection.execute(select(func.count()).select_from(came)).scalar_one()
                users.add_metric([window], found)
                keys = select(func.count()).where(ApiKeyRow.last_used >= now - length)
                used.add_metric([window], connection.execute(keys).scalar_one())
            valid = select(func.count()).where(
                ApiKeyRow.revoked.is_(None), or_(ApiKeyRow.ends.is_(None), ApiKeyRow.ends > now)
            )
            count = connection.execute(valid).scalar_one()
        return [
            users,
            used,
            GaugeMetricFamily("tokenkit_valid_api_keys", "API keys that can be used.", value=count),
        ]
