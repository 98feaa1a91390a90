"""A schedule of the catalog as EventBridge Scheduler writes it. Pure; the stack and its tests call it."""

HOUR_MINUTES = 60
DAY_MINUTES = 1_440


def cron_expression(every_minutes: int, after_minutes: int = 0) -> str:
    """`after_minutes` after every whole multiple of `every_minutes` of the UTC day: `cron(4/15 * * * ? *)`.

    `rate(15 minutes)` would count from the deployment, and not from the hour. Raises: ValueError for a pace that
    neither divides an hour nor is hours that divide a day, which this language cannot say.
    """
    if not 0 <= after_minutes < every_minutes:
        raise ValueError(f"after_minutes must be within the {every_minutes} minutes, not {after_minutes}")
    if HOUR_MINUTES % every_minutes == 0:
        minutes = "*" if every_minutes == 1 else f"{after_minutes}/{every_minutes}"
        return f"cron({minutes if every_minutes < HOUR_MINUTES else after_minutes} * * * ? *)"
    hours, minute = divmod(after_minutes, HOUR_MINUTES)
    every_hours, rest = divmod(every_minutes, HOUR_MINUTES)
    if rest or DAY_MINUTES % every_minutes:
        raise ValueError(f"every {every_minutes} minutes neither divides an hour nor is hours that divide a day")
    return f"cron({minute} {hours if every_minutes == DAY_MINUTES else f'{hours}/{every_hours}'} * * ? *)"
