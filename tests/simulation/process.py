"""A simulated process: an event loop of its own on virtual time, on which the production code runs unmodified.

`asyncio.to_thread` runs its function as a coroutine of its own (a greenlet), so that synchronous code sleeps in virtual
time too, and two such calls interleave where they sleep and nowhere else.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, cast

from greenlet import greenlet  # type: ignore[import-untyped]

from tests.simulation.virtual_time import Killed, VirtualTime

_Result = TypeVar("_Result")
_Arguments = TypeVarTuple("_Arguments")


class Process:
    """One simulated process: an event loop that can stand still, or be killed without another instruction."""

    def __init__(self, time: VirtualTime, name: str) -> None:
        self.name = name
        self.alive = True
        self.went_on_at = 0.0
        """When it last began to run after it stood still."""
        self._time = time
        self._loop = cast(asyncio.AbstractEventLoop, self)
        self._standing = 0
        self._held: list[asyncio.Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        time.knows(self)

    # Its life

    def start(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Begin `work` in this process; what it raises is a failure of the simulation, unless somebody asks for it."""
        task = self.create_task(work)
        self._tasks.append(task)
        return task

    def stand_still(self) -> None:
        """Do nothing until `go_on`: a blocked event loop, a stopped container, a machine that sleeps."""
        self._standing += self.alive

    def go_on(self) -> None:
        """Do now, in order, what should have been done meanwhile."""
        self._standing = max(0, self._standing - 1)
        if not self._standing:
            self.went_on_at = self._time.seconds
            held, self._held = self._held, []
            for handle in held:
                self._time.soon(self, handle)

    def kill(self) -> None:
        """End like kill -9. What is left of it unwinds without effect, because every door asks `check_alive` first."""
        self.alive = False
        self._standing = 1
        self.go_on()
        for task in self._tasks:
            task.cancel()

    def check_alive(self) -> None:
        """Raises: Killed."""
        if not self.alive:
            raise Killed(self.name)

    def run(self, handle: asyncio.Handle) -> None:
        """Run one handle now, or keep it while the process stands still."""
        if self._standing:
            self._held.append(handle)
            return
        # Until another process runs: nothing else in this thread asks which loop is running.
        self._time.switch_to(self._loop)
        handle._run()

    def sleep(self, seconds: float) -> None:
        """What synchronous code of this process takes for time.sleep."""
        self._time.sleep(self, seconds)

    # What asyncio asks of an event loop

    def time(self) -> float:
        """Virtual seconds."""
        return self._time.seconds

    def call_soon(
        self,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """See asyncio."""
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._time.soon(self, handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        return self.call_at(self._time.seconds + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*_Arguments], object],
        *args: *_Arguments,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        handle = asyncio.TimerHandle(when, callback, args, self._loop, context)
        self._time.later(self, handle)
        return handle

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*_Arguments], _Result],
        *args: *_Arguments,
    ) -> asyncio.Future[_Result]:
        """Run `func` at once, up to where it sleeps; the future is done when it has returned."""
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Killed:
                return
            except Exception as error:  # noqa: BLE001 - the caller is handed whatever there is
                self._settle(future, partial(future.set_exception, error))
            else:
                self._settle(future, partial(future.set_result, result))

        greenlet(work).switch()
        return future

    def _settle(self, future: asyncio.Future[Any], settle: Callable[[], None]) -> None:
        if not future.cancelled():
            settle()

    def create_future(self) -> asyncio.Future[Any]:
        """See asyncio."""
        return asyncio.Future(loop=self._loop)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """See asyncio."""
        return asyncio.Task(coro, loop=self._loop, **options)

    def is_running(self) -> bool:
        """See asyncio."""
        return True

    def is_closed(self) -> bool:
        """See asyncio."""
        return False

    def get_debug(self) -> bool:
        """See asyncio."""
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Whatever nobody caught is a failure of the simulation, but for what a dead process stumbles over."""
        if self.alive:
            self._time.failures.append(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")
