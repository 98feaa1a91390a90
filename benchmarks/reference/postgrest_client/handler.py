"""The smallest function that routes and checks as Powertools and pydantic do and can ask PostgREST; it asks nothing."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from postgrest import SyncPostgrestClient
from pydantic import BaseModel

app = APIGatewayHttpResolver(enable_validation=True)
client = SyncPostgrestClient("http://127.0.0.1:9")


class Health(BaseModel):
    """What it answers."""

    status: str


@app.get("/v1/health/live")
def live() -> Health:
    """That it is there."""
    return Health(status="ok")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Lambda's entry."""
    return app.resolve(event, context)
