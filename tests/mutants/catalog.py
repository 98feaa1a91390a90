"""The planted bugs: mistakes that systems of this kind really made, each as a change of our own code."""

from tests.mutants.mutant import Mutant

LIBRARY = "layers/marketdata/python/marketdata"
BARS = f"{LIBRARY}/compute/bars.py"
BUCKET = f"{LIBRARY}/compute/bucket.py"
BUCKETS = f"{LIBRARY}/compute/buckets.py"
MERGE = f"{LIBRARY}/compute/merge.py"
ROLLUP = f"{LIBRARY}/compute/rollup.py"
COINBASE = f"{LIBRARY}/exchanges/coinbase.py"
BINANCE = f"{LIBRARY}/exchanges/binance_wire.py"
BINANCE_ARCHIVE = f"{LIBRARY}/exchanges/binance_archive.py"
DUKASCOPY = f"{LIBRARY}/exchanges/dukascopy_classic.py"
LINES = f"{LIBRARY}/net/http_lines.py"
STREAM = f"{LIBRARY}/net/stream.py"
LINE = f"{LIBRARY}/net/line.py"
REST = f"{LIBRARY}/net/rest.py"
FLUSH = f"{LIBRARY}/jobs/flush_live.py"
SPOOL = f"{LIBRARY}/jobs/spool.py"
FOLLOWED = f"{LIBRARY}/jobs/followed_exchange.py"
FOLLOW = f"{LIBRARY}/jobs/follow_live.py"
MEND = f"{LIBRARY}/jobs/mend.py"
SCAN = f"{LIBRARY}/jobs/scan_gaps.py"
FILL = f"{LIBRARY}/jobs/fill_gaps.py"
SETTLEMENT = f"{LIBRARY}/jobs/gap_settlement.py"
BY_CANDLES = f"{LIBRARY}/jobs/fill_by_candles.py"
BY_TRADES = f"{LIBRARY}/jobs/fill_by_trades.py"
BY_ARCHIVE = f"{LIBRARY}/jobs/fill_by_archive.py"
AUDIT = f"{LIBRARY}/jobs/audit_minutes.py"
WRITER = f"{LIBRARY}/jobs/gap_writer.py"
CLIENT = f"{LIBRARY}/store/patient_client.py"
RING = "feed/ring.py"
SQL_MERGE = "migrations/20261121000200_candles_and_merge_rule.sql"
SQL_ROLLUPS = "migrations/20261121000300_coverage_queue_and_rollups.sql"
SQL_LEDGER = "migrations/20261121001200_ordered_history.sql"
SQL_SCAN = "migrations/20261121001520_pushed_ticks.sql"
SQL_DRAIN = "migrations/20261121001010_changes.sql"

TEST_BARS = "tests/unit/compute/test_bars.py"
TEST_LIVE = "tests/unit/jobs/test_follow_live.py"
TEST_MEND = "tests/unit/jobs/test_mend.py"
TEST_SPOOL = "tests/unit/jobs/test_spool.py"
TEST_STREAM = "tests/unit/net/test_stream.py"
TEST_SCAN = "tests/unit/jobs/test_scan_gaps.py"
TEST_FILL = "tests/unit/jobs/test_fill_gaps.py"
TEST_BY_CANDLES = "tests/unit/jobs/test_fill_by_candles.py"
TEST_BY_TRADES = "tests/unit/jobs/test_fill_by_trades.py"
TEST_COINBASE = "tests/unit/exchanges/test_coinbase.py"
TEST_DAY_IMPORT = "tests/unit/local/imports/test_day_import.py"
TEST_WRITER = "tests/unit/jobs/test_gap_writer.py"
TEST_SQL_MERGE = "tests/migrations/test_merge_rule.py"
TEST_SQL_ROLLUPS = "tests/migrations/test_rollups.py"
TEST_SQL_LEDGER = "tests/migrations/test_gap_ledger.py"

MUTANTS: tuple[Mutant, ...] = (
    # The connection.
    Mutant(
        "back-off-reset-on-connect",
        STREAM,
        "        if line.spoke:\n            self._attempt, self._told",
        "        if True:\n            self._attempt, self._told",
        (TEST_STREAM,),
    ),
    Mutant(
        "back-off-without-jitter",
        STREAM,
        "return line.wait_seconds + self._random.uniform(0, ceiling)",
        "return 0.0",
        (TEST_STREAM,),
    ),
    Mutant(
        "ban-not-waited-out",
        STREAM,
        "return line.wait_seconds + self._random",
        "return self._random",
        ("tests/unit/net/test_stream.py",),
    ),
    Mutant(
        "no-watchdog",
        LINE,
        "if silence > silence_seconds_max and loop.time() > self._quiet_until:",
        "if False:",
        (TEST_STREAM,),
    ),
    Mutant(
        "break-is-no-event",
        STREAM,
        "        handle((Disconnected(reason),))\n",
        "",
        (TEST_STREAM, TEST_LIVE),
    ),
    # A trade becomes a candle.
    Mutant(
        "maker-side-taken-for-takers",
        COINBASE,
        'side = _BUY if message.side == "sell" else _SELL',
        'side = _SELL if message.side == "sell" else _BUY',
        (TEST_COINBASE,),
    ),
    Mutant(
        "bucket-one-nanosecond-too-long",
        BARS,
        "time_ns <= trade_ns < end_ns",
        "time_ns <= trade_ns <= end_ns",
        (TEST_BARS,),
    ),
    Mutant("rounding-sums", BARS, "setcontext(EXACT)", "setcontext(before)", (TEST_BARS,)),
    Mutant(
        "late-trade-reopens-its-bucket",
        BUCKETS,
        "if start_ns < self._forgotten_before_ns:",
        "if False:",
        (TEST_BARS,),
    ),
    Mutant("repeated-trade-counted-twice", BARS, "if self._is_repeated(trade, bucket):", "if False:", (TEST_BARS,)),
    Mutant(
        "proven-without-the-next-trade",
        BARS,
        "if self.seen.covers(bucket.first_id - 1, bucket.last_id + 1):",
        "if self.seen.covers(bucket.first_id - 1, bucket.last_id):",
        (TEST_BARS,),
    ),
    Mutant(
        "heartbeat-ahead-proves",
        BARS,
        "last_trade_id is not None and last_trade_id == self.seen.highest",
        "last_trade_id is not None",
        (TEST_BARS,),
    ),
    Mutant(
        "history-vouches-for-the-connection",
        BARS,
        "since_ns is not None and time_ns > since_ns:",
        "since_ns is not None:",
        (TEST_BARS,),
    ),
    Mutant(
        "silence-between-lost-trades",
        BARS,
        "if before is not None and self._ids_contiguous and self.seen.covers(before[1], bucket.first_id):",
        "if before is not None and self._ids_contiguous:",
        (TEST_BARS,),
    ),
    # From the feed to the store.
    Mutant(
        "buffer-dropped-on-store-error",
        FLUSH,
        "            self._spool.failed(batch)\n            raise\n        self._spool.done(batch)",
        "            self._spool.done(batch)\n            raise\n        self._spool.done(batch)",
        (TEST_LIVE,),
    ),
    Mutant(
        "trades-forgotten-before-they-are-kept",
        FLUSH,
        "            await asyncio.to_thread(self._store.put_trades, followed.name, batch)\n"
        "            followed.forget_trades(len(batch))\n",
        "            followed.forget_trades(len(batch))\n"
        "            await asyncio.to_thread(self._store.put_trades, followed.name, batch)\n",
        (TEST_LIVE,),
    ),
    Mutant(
        "candles-before-what-proves-them",
        FLUSH,
        "                await self._flush_grounds(followed)\n            except StoreError:",
        "                await self._flush_candles(batch)\n                await self._flush_grounds(followed)\n"
        "            except StoreError:",
        (TEST_LIVE,),
    ),
    Mutant(
        "announced-before-stored",
        FLUSH,
        "            if not change.closed:\n                announce_candle",
        "            if True:\n                announce_candle",
        (TEST_LIVE,),
    ),
    Mutant(
        "closed-candle-dropped",
        SPOOL,
        "if not waiting.change.closed and not waiting.in_flight:",
        "if not waiting.in_flight:",
        (TEST_SPOOL,),
    ),
    Mutant(
        "newer-state-lost-in-flight",
        SPOOL,
        "if self._waiting.get(waiting.key) is waiting:",
        "if waiting.key in self._waiting:",
        (TEST_SPOOL,),
    ),
    Mutant(
        "write-not-sent-again",
        CLIENT,
        "for attempt in range(1, self._attempts_max + 1):",
        "for attempt in range(self._attempts_max, self._attempts_max + 1):",
        ("tests/unit/store",),
    ),
    # Mending.
    Mutant(
        "tail-seen-from-our-own-newest",
        FOLLOWED,
        "if told is not None and highest is not None and told > highest:",
        "if False:",
        (TEST_MEND,),
    ),
    Mutant(
        "absent-after-one-answer",
        MEND,
        "if rest in self._unconfirmed:",
        "if True:",
        (TEST_MEND,),
    ),
    Mutant(
        "restart-forgets-what-was-proven",
        FOLLOWED,
        "if symbol not in self.bars and any(map(is_whole_run, stored)) and self._open(symbol) is not None:",
        "if False:",
        (TEST_MEND,),
    ),
    # The merge rule, in Python and in the database.
    Mutant(
        "last-write-wins",
        MERGE,
        "return new if new_rank > old_rank else old",
        "return new",
        ("tests/unit/compute/test_merge.py",),
    ),
    Mutant(
        "last-write-wins-in-the-database",
        SQL_MERGE,
        "    if (new.source, new.observed_at) < (old.source, old.observed_at) then\n      return null;\n    end if;\n",
        "",
        (TEST_SQL_MERGE,),
    ),
    Mutant(
        "every-write-is-a-revision",
        SQL_MERGE,
        "  if new is not distinct from old then\n    return null;\n  end if;\n",
        "",
        (TEST_SQL_MERGE,),
    ),
    Mutant(
        "volumes-of-halves-added",
        SQL_MERGE,
        "new.volume := greatest(old.volume, new.volume);",
        "new.volume := old.volume + new.volume;",
        (TEST_SQL_MERGE,),
    ),
    # Rollups and coverage.
    Mutant(
        "whole-without-a-minute",
        ROLLUP,
        "if whole else Source.PARTIAL",
        "if True else Source.PARTIAL",
        ("tests/unit/compute/test_rollup.py",),
    ),
    Mutant(
        "rollup-in-the-writers-transaction",
        SQL_ROLLUPS,
        "  order by min(open_time), instrument_id;\n  return null;",
        "  order by min(open_time), instrument_id;\n  perform public.drain_dirty_v1();\n  return null;",
        (TEST_SQL_ROLLUPS,),
    ),
    Mutant(
        "drainer-without-its-lock",
        SQL_DRAIN,
        "if not pg_try_advisory_xact_lock(hashtext('market data: drain the queue of changes')) then",
        "if false then",
        (TEST_SQL_ROLLUPS,),
    ),
    Mutant(
        "partial-minute-covers",
        SQL_ROLLUPS,
        "            filter (where candle.source > 1) as covered",
        "            as covered",
        (TEST_SQL_ROLLUPS,),
    ),
    Mutant(
        "half-known-parent-is-whole",
        SQL_ROLLUPS,
        "c_length) then parent.source\n      else 1",
        "c_length) then parent.source\n      else parent.source",
        (TEST_SQL_ROLLUPS,),
    ),
    # The ledger and the movers.
    Mutant(
        "tail-bound-from-own-rows",
        SQL_SCAN,
        "  v_end := internal.bucket(p_now - p_grace, 1);",
        "  select max(upper(covered)) into v_end from public.coverage where timeframe = 1;",
        (TEST_SQL_LEDGER, "tests/contract/test_gap_ledger.py"),
    ),
    Mutant("scan-while-the-queue-is-long", SCAN, "if drained else ()", "if True else ()", (TEST_SCAN,)),
    Mutant(
        "open-gap-recorded-twice",
        SQL_LEDGER,
        "  v_news := internal.whole_buckets(p_spans, p_timeframe) - v_unresolved;",
        "  v_news := internal.whole_buckets(p_spans, p_timeframe);",
        (TEST_SQL_LEDGER, "tests/contract/test_gap_ledger.py"),
    ),
    Mutant(
        "two-workers-one-gap",
        SQL_LEDGER,
        "        else gap.lease_until <= p_now\n",
        "        else true\n",
        (TEST_SQL_LEDGER, "tests/contract/test_gap_ledger.py"),
    ),
    Mutant(
        "empty-answer-closes-the-gap",
        SETTLEMENT,
        "        if not writer.remaining:\n",
        "        if not writer.remaining or ending.answered:\n",
        (TEST_FILL,),
    ),
    Mutant(
        "tries-without-end",
        SETTLEMENT,
        "if tries >= self._settings.tries_max and not untouched:",
        "if False:",
        (TEST_FILL,),
    ),
    Mutant("after-the-deadline", FILL, "return self._clock.now() < self._deadline", "return True", (TEST_FILL,)),
    Mutant(
        "throttled-and-asked-again",
        REST,
        '        self._budget.block(seconds, f"HTTP {answer.status_code}")\n',
        "",
        ("tests/unit/net/test_rest.py",),
    ),
    Mutant(
        "candle-of-the-open-minute",
        BY_CANDLES,
        "row.close_time + self._grace <= asked_at",
        "True",
        (TEST_FILL, TEST_BY_CANDLES),
    ),
    Mutant(
        "one-answer-is-enough-for-silence",
        BY_CANDLES,
        "if one in _between(absent, second)]",
        "if True]",
        (TEST_BY_CANDLES,),
    ),
    Mutant(
        "skipped-ids-never-asked-for-again",
        BY_TRADES,
        "if sum(trade.count for trade in trades) <= last - first:",
        "if False:",
        (TEST_BY_TRADES,),
    ),
    Mutant(
        "written-counts-before-the-write",
        WRITER,
        "        return subtract((self.wanted,), union(self.covered, self.empty))",
        "        waiting = (Span(one.open_time, one.close_time) for one in self._waiting)\n"
        "        return subtract((self.wanted,), union(self.covered, self.empty, waiting))",
        (TEST_WRITER,),
    ),
    # Binance: aggregates, its own candles, its archive.
    Mutant(
        "aggregate-counts-as-one-id",
        BARS,
        "            expected += trade.count\n",
        "            expected += 1\n",
        (TEST_BARS,),
    ),
    Mutant(
        "makers-side-taken",
        BINANCE,
        "Side.SELL if buyer_is_maker else Side.BUY",
        "Side.BUY if buyer_is_maker else Side.SELL",
        ("tests/unit/exchanges/test_binance.py",),
    ),
    Mutant(
        "minute-judged-before-its-trades-came",
        AUDIT,
        "if not bars.seen.covers(claim.first_id, claim.last_id):",
        "if False:",
        ("tests/unit/jobs/test_audit_minutes.py",),
    ),
    Mutant(
        "damaged-file-believed",
        BY_ARCHIVE,
        "    archive.verify(body, checksum)\n",
        "",
        ("tests/unit/jobs/test_binance.py",),
    ),
    Mutant(
        "microseconds-read-as-milliseconds",
        BINANCE_ARCHIVE,
        "row.time * 1_000 if row.time >= MILLISECONDS_BELOW else",
        "row.time * 1_000_000 if row.time >= MILLISECONDS_BELOW else",
        (TEST_DAY_IMPORT,),
    ),
    # Quoted markets and imports.
    Mutant(
        "ask-read-as-bid",
        DUKASCOPY,
        "milliseconds, asks, bids = (words",
        "milliseconds, bids, asks = (words",
        ("tests/unit/exchanges/test_dukascopy_classic.py",),
    ),
    Mutant(
        "months-counted-from-one",
        DUKASCOPY,
        "{time.month - 1:02}",
        "{time.month:02}",
        ("tests/contract/test_archives.py",),
    ),
    Mutant(
        "new-yorks-day-taken-for-utcs",
        f"{LIBRARY}/exchanges/venue_candle.py",
        "timeframe.floor_ns(open_ns) != open_ns",
        "False",
        ("tests/unit/exchanges/test_oanda.py",),
    ),
    Mutant(
        "refusal-ends-what-flows",
        LINES,
        "        try:\n            async with asyncio.timeout(CONNECT_SECONDS_MAX):",
        "        await self.end()\n        try:\n            async with asyncio.timeout(CONNECT_SECONDS_MAX):",
        ("tests/unit/net/test_http_lines.py",),
    ),
    Mutant(
        "heartbeat-vouches-for-what-was-only-asked",
        f"{LIBRARY}/jobs/followed_quotes.py",
        "in self._flowing.intersection(self._of):",
        "in list(self._of):",
        ("tests/unit/jobs/test_followed_quotes.py",),
    ),
    Mutant(
        "empty-file-believed-at-once",
        "local/imports/fetch.py",
        "        return times > 1 or",
        "        return times > 0 or",
        ("tests/unit/local/imports/test_fetch.py",),
    ),
    Mutant(
        "imported-file-believed-without-its-checksum",
        "local/imports/day_plan.py",
        "        archive.verify(body, checksum)\n",
        "",
        (f"{TEST_DAY_IMPORT}::test_a_file_that_is_not_what_its_checksum_says_is_not_believed",),
    ),
    Mutant(
        "aggregates-beside-their-single-trades",
        "local/imports/held_trades.py",
        "        return [trade for trade in trades if not self._meets(trade)]",
        "        return list(trades)",
        (f"{TEST_DAY_IMPORT}::test_single_trades_that_the_feed_kept_are_not_counted_twice",),
    ),
    Mutant(
        "month-loaded-in-pieces",
        "local/imports/archive_import.py",
        "        with self._connection.transaction():\n",
        "        if True:\n",
        ("tests/unit/local/imports/test_archive_import.py",),
    ),
    # Live.
    Mutant("resumed-over-a-hole", RING, "        self.lost = event.sequence\n", "", ("tests/unit/feed",)),
    Mutant(
        "slow-reader-jumps-over-one",
        RING,
        "bisect_right(self._sequences, sequence)",
        "bisect_right(self._sequences, sequence + 1)",
        ("tests/unit/feed",),
    ),
    # Alerts and their delivery.
    Mutant(
        "delivered-before-it-was-sent",
        "layers/marketdata/python/marketdata/jobs/deliver_alerts.py",
        "            answer = post(message, target, begun, self.send)\n",
        "            self.store.record_try(\n"
        "                message, Verdict(MessageState.DELIVERED, Try(message.attempt, begun, 200))\n"
        "            )\n"
        "            answer = post(message, target, begun, self.send)\n",
        ("tests/unit/jobs/test_alert_crashes.py",),
    ),
    Mutant(
        "sent-again-under-another-id",
        "layers/marketdata/python/marketdata/jobs/deliver_alerts.py",
        'return f"msg_{message.id.hex}"',
        'return f"msg_{message.id.hex}_{message.attempt}"',
        ("tests/unit/jobs/test_alert_crashes.py",),
    ),
    Mutant(
        "sent-unsigned-where-there-is-no-key",
        "layers/marketdata/python/marketdata/jobs/deliver_alerts.py",
        "        if not target.secrets:\n",
        "        if False:\n",
        ("tests/unit/serve/test_alert_shapes.py",),
    ),
    Mutant(
        "told-without-a-message",
        "layers/marketdata/python/marketdata/jobs/raise_alerts.py",
        "        messages=tuple(messages),\n",
        "        messages=(),\n",
        ("tests/unit/jobs/test_raise_alerts.py",),
    ),
    Mutant(
        "private-address-among-public-ones",
        "layers/marketdata/python/marketdata/net/public_address.py",
        "not all(map(is_public, addresses))",
        "not any(map(is_public, addresses))",
        ("tests/unit/net/test_public_address.py",),
    ),
    Mutant(
        "flapping-told-each-time",
        "layers/marketdata/python/marketdata/compute/alert_machine.py",
        "        flapping=len(changes) > CHANGES_MAX,\n",
        "        flapping=False,\n",
        ("tests/unit/compute/test_alert_machine.py",),
    ),
    Mutant(
        "lease-of-another-taken-for-one-s-own",
        "migrations/20261121001710_alert_outbox.sql",
        "v_message.worker is distinct from p_worker or v_message.attempt <> p_attempt",
        "v_message.state <> 'waiting'",
        ("tests/contract/test_alert_store.py",),
    ),
)
