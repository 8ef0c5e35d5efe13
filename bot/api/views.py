"""Views of API keys."""

from __future__ import annotations

from datetime import datetime

from bot.api.models import KeyView
from supervisor.api_keys import ApiKey


def key_view(key: ApiKey, last_used: datetime | None = None) -> KeyView:
    """The view of a key, which does not contain its secret."""
    return KeyView(
        id=key.id,
        name=key.name,
        owner=key.owner,
        scopes=list(key.scopes),
        created_at=key.created_at,
        created_by=key.created_by,
        last_used_at=last_used,
    )
