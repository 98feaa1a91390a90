"""How each kind of fault is carried out: what happens when it begins, and what when it ends."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from local.exchanges.faults import MALFORMED, Faults
from tests.simulation.exchange import Acknowledging, Line
from tests.simulation.faults import Kind, Strike
from tests.simulation.feeder import Machine
from tests.simulation.lambdas import Lambdas
from tests.simulation.rest import Mood, Throttle
from tests.simulation.world import World

End = Callable[[], object]

BAD_FRAMES: tuple[str, ...] = (
    MALFORMED,
    "",
    "null",
    "[1,2",
    "\ufeff{}",
    '{"type":"match","trade_id":0,"side":"sell","size":"1","price":"1","product_id":"BTC-USD","time":"2026-01-01"}',
    '{"type":"match","trade_id":"x","side":"sell","size":"1","price":"1","product_id":"BTC-USD","time":""}',
    '{"type":"match","trade_id":987654321,"side":"up","size":"-1","price":"NaN","product_id":"BTC-USD","time":""}',
    '{"type":"heartbeat","last_trade_id":"many","product_id":"BTC-USD","time":"never"}',
    '{"type":"heartbeat","last_trade_id":0,"product_id":"ETH-BTC","time":"2020-01-01T00:00:00.000000Z"}',
    '{"type":"ticker","price":1}',
)


class Striker:
    """Carries out strikes on the machines, the exchange, the store and the jobs of one simulation."""

    def __init__(self, world: World, machines: Sequence[Machine], lambdas: Lambdas) -> None:
        self._world = world
        self._machines = machines
        self._lambdas = lambdas
        self._begin: dict[Kind, Callable[[Strike], End | None]] = {
            Kind.DROP: self._drop,
            Kind.DUPLICATE: self._duplicate,
            Kind.REORDER: partial(self._hold_back, 0.3, (0.5, 3.0)),
            Kind.LATE: partial(self._hold_back, 0.05, (20.0, 120.0)),
            Kind.STALL: self._stall,
            Kind.MUTE: self._mute,
            Kind.CUT: self._cut,
            Kind.REFUSE: partial(self._refuse, rest_too=False),
            Kind.UNACKNOWLEDGED: self._leave_unacknowledged,
            Kind.MALFORMED: self._malform,
            Kind.UNKNOWN: self._add_unknowns,
            Kind.MAINTENANCE: partial(self._refuse, rest_too=True),
            Kind.THROTTLE: partial(self._throttle, 429),
            Kind.BAN: partial(self._throttle, 418),
            Kind.REST_AWAY: partial(self._mood, Mood.AWAY),
            Kind.REST_TIMEOUT: partial(self._mood, Mood.TIMEOUT),
            Kind.REST_EMPTY: partial(self._mood, Mood.EMPTY),
            Kind.REST_TRUNCATED: partial(self._mood, Mood.TRUNCATED),
            Kind.REST_BEHIND: self._fall_behind,
            Kind.STORE_DOWN: self._store_down,
            Kind.STORE_RESTART: self._store_down,
            Kind.ANSWER_LOST: self._lose_answers,
            Kind.STORE_SLOW: self._slow_store,
            Kind.KILL: self._kill,
            Kind.DEPLOY: self._deploy,
            Kind.BLOCK: self._block,
            Kind.CLOCK: self._step_clock,
            Kind.JOB_KILL: self._kill_job,
            Kind.JOB_TWICE: self._fire_twice,
            Kind.ZOMBIE: self._sleep_long,
        }

    def schedule(self, strikes: Sequence[Strike]) -> None:
        """Let each begin and end at its time."""
        for strike in strikes:
            if strike.kind in self._begin:
                self._world.exchange.process.call_at(strike.at, self._strike, strike)

    def _strike(self, strike: Strike) -> None:
        # Not noted: whether a fault had any effect is to be seen in the fingerprint.
        self._world.record.counts[f"fault: {strike.kind}"] += 1
        end = self._begin[strike.kind](strike)
        if end is not None:
            self._world.exchange.process.call_at(strike.ends, end)

    def _lines(self, strike: Strike) -> list[Line]:
        """Half of what befalls lines befalls all of them, as it is the exchange's doing."""
        lines = [machine.line for machine in self._machines]
        return lines if strike.draw < 0.5 else [self._pick(strike).line]

    def _pick(self, strike: Strike) -> Machine:
        return self._machines[int(strike.draw * 1000) % len(self._machines)]

    def _each(self, strike: Strike, begin: Callable[[Faults], object], end: Callable[[Faults], object]) -> End:
        lines = self._lines(strike)
        for line in lines:
            begin(line.faults)
        return lambda: [end(line.faults) for line in lines]

    # The streams

    def _drop(self, strike: Strike) -> End:
        fraction = 0.01 + 0.3 * (strike.draw * 7 % 1)
        return self._each(strike, lambda one: one.drop_matches(fraction), lambda one: one.drop_matches(0.0))

    def _duplicate(self, strike: Strike) -> End:
        return self._each(strike, lambda one: one.duplicate_matches(0.3), lambda one: one.duplicate_matches(0.0))

    def _hold_back(self, fraction: float, seconds: tuple[float, float], strike: Strike) -> End:
        least, most = seconds
        delay = timedelta(seconds=least + (most - least) * (strike.draw * 13 % 1))
        return self._each(
            strike,
            lambda one: one.hold_back_matches(fraction, delay),
            lambda one: one.hold_back_matches(0.0, delay),
        )

    def _stall(self, strike: Strike) -> End:
        return self._each(strike, Faults.fall_silent, Faults.speak_again)

    def _mute(self, strike: Strike) -> End:
        symbols = sorted(self._world.market.products)
        symbol, silent = symbols[int(strike.draw * 97) % len(symbols)], strike.draw * 31 % 1 < 0.3
        return self._each(strike, lambda one: one.mute(symbol, heartbeats_too=silent), lambda one: one.unmute(symbol))

    def _cut(self, strike: Strike) -> None:
        for line in self._lines(strike):
            line.cut()

    def _refuse(self, strike: Strike, *, rest_too: bool) -> End:
        """Maintenance is for everybody."""
        lines = [machine.line for machine in self._machines] if rest_too else self._lines(strike)
        for line in lines:
            line.faults.refuse_connections()
            line.cut()
        end_mood = self._mood(Mood.AWAY, strike) if rest_too else lambda: None

        def end() -> None:
            end_mood()
            for line in lines:
                line.faults.accept_connections()

        return end

    def _leave_unacknowledged(self, strike: Strike) -> End:
        lines = self._lines(strike)
        how = (Acknowledging.LOST, Acknowledging.REFUSED, Acknowledging.PARTIAL)[int(strike.draw * 50) % 3]
        for line in lines:
            line.acknowledging = how
            line.cut()

        def end() -> None:
            for line in lines:
                line.acknowledging = Acknowledging.NORMAL

        return end

    def _malform(self, strike: Strike) -> End:
        lines = self._lines(strike)
        for line in lines:
            line.garbled = 0.2
            for frame in BAD_FRAMES:
                line.inject(frame)

        def end() -> None:
            for line in lines:
                line.garbled = 0.0

        return end

    def _add_unknowns(self, strike: Strike) -> End:
        return self._each(strike, Faults.add_unknowns, lambda one: setattr(one, "unknowns", False))

    # REST

    def _mood(self, mood: Mood, strike: Strike) -> End:
        rest = self._world.rest
        rest.moods.append(mood)
        return lambda: rest.moods.remove(mood)

    def _throttle(self, status: int, strike: Strike) -> End:
        rest = self._world.rest
        rest.throttle = Throttle(status, int(2 + strike.draw * (300 if status == 418 else 60)))
        return lambda: setattr(rest, "throttle", None)

    def _fall_behind(self, strike: Strike) -> End:
        rest = self._world.rest
        rest.behind_seconds = 2 + 58 * strike.draw
        return lambda: setattr(rest, "behind_seconds", 0.0)

    # The store

    def _store_down(self, strike: Strike) -> End:
        weather = self._world.weather
        weather.go_down(self._world.time.seconds)
        return lambda: weather.come_up(self._world.time.seconds)

    def _lose_answers(self, strike: Strike) -> End:
        weather = self._world.weather
        weather.lost_answers = 0.2
        return lambda: setattr(weather, "lost_answers", 0.0)

    def _slow_store(self, strike: Strike) -> End:
        weather = self._world.weather
        weather.slowness = 50.0
        return lambda: setattr(weather, "slowness", 1.0)

    # The processes

    def _kill(self, strike: Strike) -> End:
        machine = self._pick(strike)
        machine.kill()
        return machine.start_if_none

    def _deploy(self, strike: Strike) -> End | None:
        """Make before break on one machine; or, where the draw says so, break before make."""
        machine = self._pick(strike)
        if strike.draw < 0.5:
            machine.deploy(strike.seconds)
            return None
        machine.stop()
        return machine.start_if_none

    def _block(self, strike: Strike) -> None:
        self._pick(strike).stand_still(strike.seconds)

    def _sleep_long(self, strike: Strike) -> None:
        self._machines[-1].stand_still(strike.seconds)

    def _step_clock(self, strike: Strike) -> End:
        clock = self._pick(strike).clock if strike.draw < 0.7 else self._lambdas.clock
        clock.ahead_seconds = (90.0, -90.0, 30.0, -3600.0)[int(strike.draw * 100) % 4]
        return lambda: setattr(clock, "ahead_seconds", 0.0)

    def _kill_job(self, strike: Strike) -> None:
        """In the middle of a run: a little after a minute began."""
        minute = 60.0 - self._world.time.seconds % 60.0
        self._world.exchange.process.call_later(minute + 0.1 * strike.draw, self._lambdas.kill_one)

    def _fire_twice(self, strike: Strike) -> End:
        self._lambdas.twice = True
        return lambda: setattr(self._lambdas, "twice", False)
