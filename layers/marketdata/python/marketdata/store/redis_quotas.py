"""Quotas in Valkey or Redis; the same as the database's take_quota_v1, in one script."""

from marketdata.store.access import Grant
from marketdata.store.redis_line import RedisLine

_TAKE = """
local used = tonumber(redis.call('get', KEYS[1]) or '0')
local quota, window, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local granted = math.max(0, math.min(wanted, quota - used))
if redis.call('exists', KEYS[1]) == 0 then
  redis.call('set', KEYS[1], granted, 'PX', window * 1000)
else
  redis.call('incrby', KEYS[1], granted)
end
return {granted, math.max(0, quota - used - granted), redis.call('pttl', KEYS[1])}
"""


class RedisQuotas:
    """Windows by name, which the server lets go of when they are over."""

    def __init__(self, line: RedisLine) -> None:
        self._line = line

    def take_quota(self, name: str, *, quota: int, window_seconds: int, wanted: int = 1) -> Grant:
        """See QuotaBook. Raises: StoreError."""
        granted, left, reset = self._line.run(_TAKE, [f"marketdata:quota:{name}"], [quota, window_seconds, wanted])
        return Grant(int(granted), int(left), int(reset) / 1000)
