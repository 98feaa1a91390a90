"""The composition root: what is made of settings."""

from marketdata.wiring import store_from

from tests.unit.test_settings import of


def test_the_store_is_made_without_asking_anyone() -> None:
    store_from(of(SUPABASE_URL="http://127.0.0.1:9")).close()
