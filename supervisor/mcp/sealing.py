"""Encrypts what stands in the store. The first of the secret keys encrypts, and each of them decrypts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Sealer:
    """Seals texts for one purpose: with anything else of a secret key, the same key is never used for two things."""

    def __init__(self, keys: Sequence[str], purpose: bytes) -> None:
        self._keys, self._purpose = keys, purpose

    def seal(self, text: str) -> str:
        return self._ciphers()[0].encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the text. Raises ValueError where no key is the one that it was sealed with."""
        return self.read(sealed)[0]

    def read(self, sealed: str) -> tuple[str, bool]:
        """Return the text, and whether it is sealed with the first key. Raises as `open`."""
        from cryptography.fernet import InvalidToken

        for position, cipher in enumerate(self._ciphers()):
            try:
                return cipher.decrypt(sealed.encode()).decode(), position == 0
            except InvalidToken:
                continue
        raise ValueError("no key in FLAGMAN_SECRET_KEY is the one that it was encrypted with")

    def _ciphers(self) -> list[Fernet]:
        from cryptography.fernet import Fernet

        sums = [hashlib.sha256(self._purpose + key.encode()).digest() for key in self._keys]
        return [Fernet(base64.urlsafe_b64encode(one)) for one in sums]
