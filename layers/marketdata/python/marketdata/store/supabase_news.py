"""What is new, in the Supabase store: the arguments and the answer of the database's function for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketdata.store.limits import check_limit

if TYPE_CHECKING:
    from marketdata.store.news import News
    from marketdata.store.patient_client import PatientClient


class SupabaseNews:
    """The part of the Store protocol that is about what is new."""

    _client: PatientClient

    def news(self, *, after: str | None, limit: int) -> News:
        """See Store."""
        from marketdata.store.news_rows import NewsRow  # noqa: PLC0415

        check_limit(limit)
        arguments = {"p_after": after, "p_limit": limit}
        return self._client.call("news", "get_news_v1", arguments, NewsRow).news
