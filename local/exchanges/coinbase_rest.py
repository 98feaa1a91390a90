"""Coinbase's public REST as a server: what coinbase_answers.py says, behind a budget and whatever is made to fail."""

import asyncio

from aiohttp import web
from marketdata.clock import Clock

from local.exchanges.budget import Budgets
from local.exchanges.coinbase_answers import Answer, Answers, message
from local.exchanges.faults import Faults
from local.exchanges.tape import Market

REQUESTS_PER_SECOND = 10
REQUESTS_BURST = 15


class Rest:
    """The handlers, over one market as far as the clock has come."""

    def __init__(self, market: Market, clock: Clock, faults: Faults) -> None:
        self._answers = Answers(market)
        self._clock = clock
        self._faults = faults
        self._budgets = Budgets(clock, per_second=REQUESTS_PER_SECOND, burst=REQUESTS_BURST)

    def routes(self) -> list[web.RouteDef]:
        """Every path: what is not found is for the answers to say."""
        return [web.get("/{path:.*}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        answer = await self._answer(request)
        return web.Response(
            text=answer.text, status=answer.status, headers=answer.headers, content_type="application/json"
        )

    async def _answer(self, request: web.Request) -> Answer:
        if self._faults.refusing_rest:
            return message(503, "Service Unavailable")
        if not self._budgets.spend(request.remote or ""):
            return message(429, "Public rate limit exceeded")
        path = f"/{request.match_info['path']}"  # below wherever the application is mounted
        # In a thread, because drawing hours of a busy market takes a while.
        return await asyncio.to_thread(self._answers.answer, path, request.query, self._clock.now())
