"""`marketdata up`: the whole house on this machine."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from local.config import read_config
from local.house import House, Plan


class Feed(StrEnum):
    """Which of Coinbase's two feeds."""

    EXCHANGE = "exchange"
    ADVANCED = "advanced"


def up(
    live: Annotated[bool, typer.Option("--live", help="Follow the real Coinbase instead of the simulator.")] = False,
    port: Annotated[int, typer.Option(help="The one port that everything is behind.", min=1, max=65_535)] = 8100,
    data: Annotated[Path, typer.Option(help="Where the data is kept from start to start.")] = Path("data"),
    config: Annotated[Path, typer.Option(help="The instruments that a new database starts with.")] = Path(
        "config.yaml"
    ),
    feed: Annotated[Feed, typer.Option(help="Which of Coinbase's feeds to follow.")] = Feed.EXCHANGE,
    seed: Annotated[int, typer.Option(help="Which market the simulator invents.", min=0)] = 1,
) -> None:
    """Start database, exchange, feed, scheduler, API and page; Ctrl-C stops them all cleanly."""
    plan = Plan(folder=data.resolve(), config=read_config(config), port=port, live=live, feed=feed.value, seed=seed)
    asyncio.run(House(plan, say=typer.echo).run())
