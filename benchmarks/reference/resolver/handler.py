"""The smallest function that routes and checks as Powertools and pydantic do: what a cold start is measured beside."""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel

app = APIGatewayHttpResolver(enable_validation=True)


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
