"""Makes the blocking client from the asynchronous one; it also works where an event loop is running.

Each class is a proxy: its methods wait for the results, in which objects of the client are replaced by their proxies.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import inspect
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
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


def make_blocking(kind: type) -> Any:
    """The blocking class for an asynchronous one, with the same methods, properties and docstrings."""
    fields: Any = {"__doc__": kind.__doc__, "__module__": "bot.sdk"}
    for name, member in inspect.getmembers_static(kind):
        if not name.startswith("_"):
            fields[name] = _blocking_member(name, member)
    proxy = type(f"Sync{kind.__name__}", (_Proxy,), {**fields, "_kind": kind})
    _proxies[kind] = proxy
    return proxy


class _Proxy:
    """The base of blocking classes; `wrapped` is the asynchronous object."""

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


def _blocking_member(name: str, member: Any) -> Any:
    if isinstance(member, property):
        return property(lambda self: _wrap(getattr(self.wrapped, name)), doc=member.__doc__)
    if isinstance(member, classmethod):

        @functools.wraps(member.__func__)
        def of_class(cls: type[_Proxy], *args: Any, **kwargs: Any) -> Any:
            found = wait_for(_awaited(getattr(cls._kind, name)(*args, **kwargs)))
            return _proxy_of(found, cls) if isinstance(found, cls._kind) else _wrap(found)

        return classmethod(of_class)
    if not callable(member):
        return member

    @functools.wraps(member)
    def method(self: _Proxy, *args: Any, **kwargs: Any) -> Any:
        return _result(getattr(self.wrapped, name)(*args, **kwargs))

    return method


def _result(found: Any) -> Any:
    if inspect.isawaitable(found):
        return _wrap(wait_for(_awaited(found)))
    return _iterate(found) if isinstance(found, AsyncIterator) else _wrap(found)


async def _awaited(found: Any) -> Any:
    return await found


def _iterate(live: AsyncIterator[Answer]) -> Iterator[Answer]:
    nothing: Any = object()

    async def next_answer() -> Any:
        return await anext(live, nothing)

    while (item := wait_for(next_answer())) is not nothing:
        yield item


def _wrap(found: Any) -> Any:
    """The value with objects of the client replaced by their proxies, also in lists and dataclasses."""
    for kind, proxy in _proxies.items():
        if isinstance(found, kind):
            return _proxy_of(found, proxy)
    if isinstance(found, list):
        return [_wrap(item) for item in found]
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        fields = {f.name: getattr(found, f.name) for f in dataclasses.fields(found)}
        changed = {name: wrapped for name, value in fields.items() if (wrapped := _wrap(value)) is not value}
        return dataclasses.replace(found, **changed) if _holds_proxy(changed) else found
    return found


def _proxy_of(found: Any, proxy: type) -> Any:
    made: Any = object.__new__(proxy)
    made.wrapped = found
    return made


def _holds_proxy(changed: dict[str, Any]) -> bool:
    return any(isinstance(value, _Proxy) for value in changed.values())
