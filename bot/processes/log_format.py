"""The log of a process on standard error, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from supervisor.core.text.masking import Masker

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class MaskedFormatter(logging.Formatter):
    """Formats a record, its traceback too, and masks the secrets in all of it."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__(FORMAT)
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        return self._mask(super().format(record))


def log_masked(secrets: Iterable[str]) -> Masker:
    """Write the log to standard error from now on, without these secrets. Returns their mask."""
    mask = Masker(secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(MaskedFormatter(mask))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    return mask
