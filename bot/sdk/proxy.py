"""Makes the public classes from the asynchronous ones: one class for scripts and for coroutines.

Each is a proxy. Where no event loop runs, its methods wait for their results; where one does, as in a coroutine or a
notebook, they return an awaitable. In the results, objects of the client are replaced by their proxies.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_proxies: dict[type, type] = {}


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop for all calls, in a daemon thread."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="flagman", daemon=True).start()
    return loop


# A forked process does not have the thread, so it starts a loop of its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_loop.cache_clear)


def wait_for(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a coroutine and return its result; an interrupt of the caller cancels it."""
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except CancelledError:
        raise
    except BaseException:
        future.cancel()
        raise


def make_public(kind: type) -> Any:
    """The public class for an asynchronous one, with the same methods, properties and docstrings."""
    fields: Any = {"__doc__": kind.__doc__, "__module__": "flagman"}
    for name, member in inspect.getmembers_static(kind):
        if not name.startswith("_"):
            fields[name] = _public_member(name, member)
    base = next((_proxies[above] for above in kind.__mro__[1:] if above in _proxies), _Proxy)
    proxy = type(kind.__name__, (base,), {**fields, "_kind": kind})
    _proxies[kind] = proxy
    return proxy


class _Proxy:
    """The base of public classes; `wrapped` is the asynchronous object."""

    _kind: type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.wrapped = self._kind(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self.wrapped)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "wrapped":
            super().__setattr__(name, value)
        else:
            setattr(self.wrapped, name, value)

    def __getattr__(self, name: str) -> Any:
        # Only called for attributes set in a constructor: methods and properties are members of the proxy's class.
        if name == "wrapped":
            raise AttributeError(name)
        return _wrap(getattr(self.wrapped, name))


def _public_member(name: str, member: Any) -> Any:
    if isinstance(member, property):
        return property(lambda self: _result(getattr(self.wrapped, name)), doc=member.__doc__)
    if isinstance(member, classmethod):

        @functools.wraps(member.__func__)
        def of_class(cls: type[_Proxy], *args: Any, **kwargs: Any) -> Any:
            def wrap(found: Any) -> Any:
                return _proxy_of(found, cls) if isinstance(found, cls._kind) else _wrap(found)

            return _result(getattr(cls._kind, name)(*args, **kwargs), wrap)

        return classmethod(of_class)
    if not callable(member):
        return member

    @functools.wraps(member)
    def method(self: _Proxy, *args: Any, **kwargs: Any) -> Any:
        return _result(getattr(self.wrapped, name)(*args, **kwargs))

    return method


def _result(found: Any, wrap: Callable[[Any], Any] | None = None) -> Any:
    wrap = wrap or _wrap
    if inspect.isawaitable(found):
        awaited = _wrapped(found, wrap)
        return awaited if _in_loop() else wait_for(awaited)
    return _Stream(found) if isinstance(found, AsyncIterator) else wrap(found)


async def _wrapped(found: Any, wrap: Callable[[Any], Any]) -> Any:
    return wrap(await found)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _Stream:
    """A stream for `for` in a script and for `async for` in a coroutine."""

    def __init__(self, live: AsyncIterator[Any]) -> None:
        self._live = live

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._live

    def __iter__(self) -> Iterator[Any]:
        nothing: Any = object()

        async def next_answer() -> Any:
            return await anext(self._live, nothing)

        while (item := wait_for(next_answer())) is not nothing:
            yield item


def _wrap(found: Any) -> Any:
    """The value with objects of the client replaced by their proxies, also in lists and dicts."""
    if (proxy := _proxies.get(type(found))) is not None:
        return _proxy_of(found, proxy)
    if isinstance(found, list):
        return [_wrap(item) for item in found]
    if isinstance(found, dict):
        return {key: _wrap(item) for key, item in found.items()}
    return found


def _proxy_of(found: Any, proxy: type) -> Any:
    made: Any = object.__new__(proxy)
    made.wrapped = found
    return made
