"""Routes of grants: calls that a person allows in advance, for some time."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bot.api.parameters import OfCall, OfGrant
from bot.api.routing import Answer, Call, Parameters, Returns, Routes
from supervisor.contract.grants import GrantList, GrantRequest, GrantResult

routes = Routes("Grants")


class OfList(Parameters):
    session: Annotated[str | None, Field(max_length=80)] = None


@routes(
    "POST",
    "/v1/sessions/{id}/calls/{call_id}/grant",
    scope="approve",
    returns={201: Returns("Approved, and calls like it are allowed.", GrantResult)},
    problems={404, 409, 428},
)
async def allow_calls(call: Call, path: OfCall, body: GrantRequest) -> Answer:
    """Approve a tool call as it was shown, and allow calls like it without asking, until a time.

    The right of who allowed them, the owner of the key, is looked at again for each call. A call that takes more than
    one approval is not allowed in advance.
    """
    return Answer(await call.grants.allow(path.id, path.call_id, body), 201)


@routes(
    "GET",
    "/v1/grants",
    scope="read",
    returns={200: Returns("Those that last, the first to end first.", GrantList)},
    problems={404},
)
async def list_grants(call: Call, query: OfList) -> Answer:
    """List the grants of the sessions that the owner of the key sees, or of one session."""
    return Answer(GrantList(grants=await call.grants.list(query.session)))


@routes(
    "DELETE",
    "/v1/grants/{grant_id}",
    scope="approve",
    returns={204: Returns("It has ended; what ran by it stays.")},
    problems={409},
)
async def revoke_grant(call: Call, path: OfGrant) -> Answer:
    """End a grant at once."""
    await call.grants.revoke(path.grant_id)
    return Answer(status=204)
