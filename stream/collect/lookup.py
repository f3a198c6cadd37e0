"""Routes for those without Redis: a customer's segments, all segments, and forgetting.

They need a token of the keys file's `admin`, never a write key: write keys are public.
"""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from stream.collect.keyring import Keyring
from stream.collect.mapping import MAX_ID
from stream.collect.portrait import kept_in_redis
from stream.collect.refusal import Refusal
from stream.settings import Settings
from stream.store.forget import Forgetter
from stream.store.reader import Reader

_TIMEOUT_SECONDS = 2.0
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"description": "not as it must be"},
    401: {"description": "token missing or not valid"},
    503: {"description": "Redis does not answer"},
}
CustomerId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_bearer = HTTPBearer(auto_error=False, description="token of the keys file's `admin`")


def lookup_routes(settings: Settings, keyring: Keyring) -> APIRouter:
    """`/v1/customers/ID` and `/v1/segments`."""

    def admin(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None,
    ) -> None:
        if given is None or not keyring.is_admin(given.credentials):
            raise Refusal(401, "unauthorized", "the token is missing or not valid")

    routes = APIRouter(
        prefix="/v1", tags=["look-up"], dependencies=[Depends(admin)], responses=_REFUSALS
    )

    @routes.get("/customers/{customer_id:path}/export")
    def export(customer_id: CustomerId) -> dict[str, Any]:
        """Everything that Redis keeps of the customer."""
        return {"id": customer_id, **kept_in_redis(settings, customer_id)}

    @routes.get(
        "/customers/{customer_id:path}", responses={404: {"description": "no such customer"}}
    )
    def customer(customer_id: CustomerId) -> dict[str, Any]:
        """The customer's public record, and since when it is in each segment."""
        with Reader(settings, timeout_seconds=_TIMEOUT_SECONDS) as reader:
            found = reader.customer(customer_id)
            if found is None:
                raise Refusal(404, "unknown_customer", "no event of this customer was applied")
            return {**asdict(found), "since": reader.since(customer_id, found.segments)}

    @routes.delete("/customers/{customer_id:path}")
    def forget(customer_id: CustomerId, opt_out: bool = False) -> dict[str, int]:
        """Forget the customer: see `agos forget`."""
        with Forgetter(settings) as forgetter:
            return asdict(forgetter.forget(customer_id, for_ever=opt_out))

    @routes.get("/segments")
    def segments() -> list[dict[str, Any]]:
        """All segments with their sizes, the largest first."""
        with Reader(settings, timeout_seconds=_TIMEOUT_SECONDS) as reader:
            return [asdict(segment) for segment in reader.segment_list()]

    return routes
