"""Encrypts what is stored of installations, as the secrets by name are, with keys of its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from supervisor.core.errors import InvalidInput


class Seal:
    """The first of the keys encrypts, and each of them decrypts; `purpose` keeps them apart from those of others."""

    def __init__(self, purpose: str, keys: Sequence[str]) -> None:
        sums = [hashlib.sha256(f"{purpose}: {key}".encode()).digest() for key in keys]
        self._ciphers = [Fernet(base64.urlsafe_b64encode(one)) for one in sums]
        self._cipher = MultiFernet(self._ciphers)

    def close(self, text: str) -> str:
        """Return the text encrypted."""
        return self._cipher.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the text. Raises InvalidInput where none of the keys is the one that it was encrypted with."""
        try:
            return self._cipher.decrypt(sealed.encode()).decode()
        except (InvalidToken, ValueError) as error:
            raise InvalidInput(
                "A stored token of a workspace cannot be decrypted: no key in FLAGMAN_SECRET_KEY is the one that it "
                "was encrypted with; give that key, too, or install Flagman there again."
            ) from error

    def is_current(self, sealed: str) -> bool:
        """Whether the first key decrypts it, so that the others are not needed for it any more."""
        try:
            self._ciphers[0].decrypt(sealed.encode())
        except (InvalidToken, ValueError):
            return False
        return True
