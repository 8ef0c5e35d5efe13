"""Routes of delegations: who decides for whom."""

from __future__ import annotations

from bot.api.parameters import OfDelegation
from bot.api.routing import Answer, Call, Returns, Routes
from supervisor.contract.delegations import DelegationList, DelegationRequest, DelegationView

routes = Routes("Delegations")


@routes(
    "GET",
    "/v1/delegations",
    scope="read",
    returns={200: Returns("Those that last, the first to end first.", DelegationList)},
)
async def list_delegations(call: Call) -> Answer:
    """List who decides for whom.

    Those by or to the owner of the key; with the scope `admin` all of them.
    """
    return Answer(DelegationList(delegations=await call.delegations.list()))


@routes(
    "POST",
    "/v1/delegations",
    scope="approve",
    returns={201: Returns("Added.", DelegationView)},
    problems={409},
)
async def add_delegation(call: Call, body: DelegationRequest) -> Answer:
    """Have another person decide for the owner of the key, until a time."""
    return Answer(await call.delegations.add(body), 201)


@routes(
    "DELETE",
    "/v1/delegations/{delegation_id}",
    scope="approve",
    returns={204: Returns("It has ended; decisions made by it stay.")},
)
async def drop_delegation(call: Call, path: OfDelegation) -> Answer:
    """End a delegation at once."""
    await call.delegations.drop(path.delegation_id)
    return Answer(status=204)
