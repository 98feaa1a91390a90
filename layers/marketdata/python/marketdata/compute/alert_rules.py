"""Our own rules: facts in, conditions out. Pure; called by jobs/raise_alerts at every evaluation.

A bound has two sides: past the first a condition is firm and may fire, and only behind the second it is over. Markets
that are closed are nobody's trouble. docs/runbook.md has a section on each rule.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from marketdata.compute.alert_facts import Facts, FeedFact
from marketdata.compute.calendar import closed
from marketdata.model.alert_book import Condition
from marketdata.model.alert_rule import (
    CLOCK_SKEW,
    COVERAGE_LOW,
    DELIVERY_FAILING,
    EXCHANGE_BANNED,
    EXCHANGE_LIMITED,
    FEED_DOWN,
    FEED_STALLED,
    GAP_UNREPAIRED,
    JOB_FAILING,
    JOB_MISSED,
    SPOOL_FILLING,
    VENUE_DIVERGENCE,
    Rule,
)
from marketdata.model.instrument import Instrument
from marketdata.model.job_run import JobRun, RunState
from marketdata.model.span import Span
from marketdata.model.times import rfc3339

FEED_SILENCE_MAX = timedelta(seconds=30)
"""A feed speaks every five seconds."""
FEED_START_MAX = timedelta(minutes=1)
"""So long a feed may be connecting before it counts as down."""
GAP_AGE_MAX = timedelta(minutes=5)
COVERAGE_MIN = 0.999
SKEW_SECONDS_MAX, SKEW_SECONDS_OVER = 2.0, 1.0
SPOOL_SHARE_MAX, SPOOL_SHARE_OVER = 0.5, 0.25
MISSED_RUNS, MISSED_SLACK = 3, timedelta(minutes=5)
FAILED_RUNS = 3
TRIES_IN_VAIN = 3

_ENDED = (RunState.SUCCEEDED, RunState.FAILED, RunState.LOST)


def conditions(facts: Facts) -> Iterator[Condition]:
    """Everything that holds now, by the rules that judge the system."""
    trading = {one.key: one for one in facts.instruments if is_trading(one, facts.now)}
    exchanges = {exchange for exchange, _ in trading}
    for feed in facts.feeds:
        if feed.exchange in exchanges:
            yield from _of_feed(feed, facts.now)
        yield from _of_process(feed)
    yield from _gaps(facts, trading)
    yield from _coverage(facts)
    yield from _limits(facts)
    for kind, runs in facts.runs.items():
        yield from _jobs(kind, runs, facts)
    yield from _divergence(facts)
    yield from _deliveries(facts)


def is_trading(instrument: Instrument, now: datetime) -> bool:
    """Whether it is followed and its market is open."""
    moment = Span(now, now + timedelta(microseconds=1))
    return instrument.active and not instrument.pushed and not closed(instrument.calendar, moment)


def _of_feed(feed: FeedFact, now: datetime) -> Iterator[Condition]:
    """Whether the exchange is followed at all, and whether it says anything."""
    # By the store's clock where it is known: a feed whose own is wrong is not silent.
    silence = now - (feed.stored_at or feed.updated_at)
    if silence > FEED_SILENCE_MAX:
        said = f"{feed.exchange}: no feed has reported for {_seconds(silence)}"
        values = {"value": silence.total_seconds(), "threshold": FEED_SILENCE_MAX.total_seconds()}
        yield _condition(FEED_DOWN, said, feed.exchange, since=feed.updated_at, context=values)
    elif feed.state == "down" or (feed.state == "connecting" and now - feed.started_at > FEED_START_MAX):
        said = f"{feed.exchange}: the feed is not connected"
        yield _condition(FEED_DOWN, said, feed.exchange, since=feed.last_message_at, context={"reason": feed.detail})
    elif feed.state == "stale":
        said = f"{feed.exchange}: connected, and nothing arrives"
        yield _condition(FEED_STALLED, said, feed.exchange, since=feed.last_message_at, context={"reason": feed.detail})


def _of_process(feed: FeedFact) -> Iterator[Condition]:
    """The clock and the spool of the feed's process, markets open or not."""
    if feed.stored_at is not None and feed.state != "stopped":
        skew = abs((feed.stored_at - feed.updated_at).total_seconds())
        if skew > SKEW_SECONDS_OVER:
            said = f"{feed.exchange}: the feed's clock and the store's differ by {skew:.1f} s"
            seconds = {"value": skew, "threshold": SKEW_SECONDS_MAX}
            yield _condition(CLOCK_SKEW, said, feed.exchange, firm=skew > SKEW_SECONDS_MAX, context=seconds)
    share = feed.spooled / feed.spool_max if feed.spool_max else 0.0
    if share > SPOOL_SHARE_OVER:
        said = f"{feed.exchange}: {feed.spooled:,} candles wait for the store, {share:.0%} of the room there is"
        shares = {"value": share, "threshold": SPOOL_SHARE_MAX, "reason": feed.detail}
        yield _condition(SPOOL_FILLING, said, feed.exchange, firm=share > SPOOL_SHARE_MAX, context=shares)


def _gaps(facts: Facts, trading: Mapping[tuple[str, str], Instrument]) -> Iterator[Condition]:
    for gap in facts.gaps:
        age = facts.now - gap.oldest
        if (gap.exchange, gap.symbol) in trading and age > GAP_AGE_MAX:
            said = f"{gap.exchange} {gap.symbol}: {gap.minutes} minutes are missing, the oldest for {_seconds(age)}"
            values = {"value": age.total_seconds(), "threshold": GAP_AGE_MAX.total_seconds()}
            counts = {"gaps": gap.gaps, "minutes": gap.minutes, "found_at": rfc3339(gap.oldest)}
            since = gap.oldest + GAP_AGE_MAX
            yield _condition(GAP_UNREPAIRED, said, gap.exchange, gap.symbol, since=since, context=values | counts)


def _coverage(facts: Facts) -> Iterator[Condition]:
    for share in facts.shares:
        if share.coverage < COVERAGE_MIN:
            # Rounded down, as everywhere: 99.90 % is not below the bound.
            percent, day = f"{int(share.coverage * 10_000) / 100:.2f} %", f"{share.day:%Y-%m-%d}"
            said = f"{share.exchange} {share.symbol}: {percent} of {day} is held or known to be empty"
            context = {"value": share.coverage, "threshold": COVERAGE_MIN, "missing": share.missing, "day": day}
            yield _condition(COVERAGE_LOW, said, share.exchange, share.symbol, context=context)


def _limits(facts: Facts) -> Iterator[Condition]:
    for limit in facts.limits:
        banned = "418" in limit.reason or "ban" in limit.reason.lower()
        rule, what = (EXCHANGE_BANNED, "has banned us") if banned else (EXCHANGE_LIMITED, "asks for silence")
        until = rfc3339(limit.blocked_until)
        context = {"until": until, "reason": limit.reason}
        yield _condition(rule, f"{limit.exchange} {what} until {until}", limit.exchange, context=context)


def _jobs(kind: str, runs: tuple[JobRun, ...], facts: Facts) -> Iterator[Condition]:
    """A job that never ran is not missed: an installation may not have it."""
    if not runs or kind not in facts.periods:
        return
    allowed = facts.periods[kind] * MISSED_RUNS + MISSED_SLACK
    age = facts.now - runs[0].started_at
    if age > allowed:
        said = f"{kind} has not run for {_seconds(age)}"
        since = runs[0].started_at + allowed
        values = {"job": kind, "value": age.total_seconds(), "threshold": allowed.total_seconds()}
        yield _condition(JOB_MISSED, said, since=since, context=values)
    ended = [run for run in runs if run.state in _ENDED][:FAILED_RUNS]
    if len(ended) == FAILED_RUNS and all(run.state is not RunState.SUCCEEDED for run in ended):
        reason = next((run.error for run in ended if run.error), "")
        said = f"{kind} failed {FAILED_RUNS} times in a row"
        yield _condition(JOB_FAILING, said, since=ended[-1].started_at, context={"job": kind, "reason": reason})


def _divergence(facts: Facts) -> Iterator[Condition]:
    """What the last comparison found that is not ours to overwrite."""
    done = [run for run in facts.runs.get("reconcile", ()) if run.state is RunState.SUCCEEDED]
    kept = done[0].result.get("kept", 0) if done else 0
    if isinstance(kept, int) and kept > 0:
        context = {"value": kept, "examples": list(done[0].result.get("examples", []))[:5]}
        said = f"{kept} of our candles differ from the exchanges' own"
        yield _condition(VENUE_DIVERGENCE, said, since=done[0].started_at, context=context)


def _deliveries(facts: Facts) -> Iterator[Condition]:
    for trouble in facts.troubles:
        if trouble.disabled_reason or trouble.dead or trouble.attempts >= TRIES_IN_VAIN:
            why = f"is disabled: {trouble.disabled_reason}" if trouble.disabled_reason else "does not take messages"
            counts = {"waiting": trouble.waiting, "dead": trouble.dead, "attempts": trouble.attempts}
            context: dict[str, Any] = {"target": trouble.target, **counts}
            yield _condition(DELIVERY_FAILING, f"alert target {trouble.target} {why}", context=context)


def _condition(
    rule: Rule,
    summary: str,
    exchange: str | None = None,
    symbol: str | None = None,
    *,
    since: datetime | None = None,
    firm: bool = True,
    context: Mapping[str, Any],
) -> Condition:
    """Of the job or target in the context, if the rule is about no exchange. No measured value goes into the key."""
    subject = [part for part in (exchange, symbol, context.get("job"), context.get("target")) if part]
    return Condition(
        dedup_key=":".join([*subject, rule.name]),
        rule=rule.name,
        severity=rule.severity,
        summary=summary[:300],
        hold=rule.hold,
        exchange=exchange,
        symbol=symbol,
        since=since,
        firm=firm,
        context={name: value for name, value in context.items() if value not in ("", None)},
    )


def _seconds(time: timedelta) -> str:
    """`47 s`, `12 min` or `3 h`."""
    seconds = int(time.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"
