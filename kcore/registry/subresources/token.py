"""`serviceaccounts/token`: a fresh token for whoever may ask for one (TokenRequest, KEP-1205)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kcore.api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec, TokenRequestStatus
from kcore.api.core_v1 import Node, Pod, Secret, ServiceAccount
from kcore.api.errors import BadRequest, Conflict, Invalid, NotFound, NotImplementedByServer
from kcore.api.field import FieldError, Path, invalid, quote
from kcore.api.kind import parse_api_version
from kcore.api.meta_v1 import StatusDetails
from kcore.api.object import Object
from kcore.api.schema import fill
from kcore.api.timestamp import format_seconds
from kcore.registry.admission import Operation
from kcore.registry.metadata import METADATA
from kcore.registry.pipeline import Pipeline, absent
from kcore.registry.request import Request

__all__ = ["create_token"]

_DEFAULT_SECONDS = 3600
_SECONDS_MIN = 600
_SECONDS_MAX = 2**32
_EXPIRATION = Path("spec") / "expirationSeconds"

# Kubelets ask for this odd time where a pod's author asked for none. Such tokens live for a year, because old clients
# never read them again, and are only told as too old after the time asked for (KEP-1205).
_UNASKED_SECONDS = 3607
_EXTENDED_SECONDS = 365 * 24 * 3600

_BINDABLE: Mapping[tuple[str, str], type[Object]] = {("", "Pod"): Pod, ("", "Secret"): Secret, ("", "Node"): Node}


async def create_token(pipe: Pipeline, req: Request, body: TokenRequest) -> TokenRequest:
    tokens = pipe.env.tokens
    if tokens is None:
        raise NotImplementedByServer("serviceaccounts/token is not implemented by this server")
    _check_names(req, body)
    record = pipe.store(req.kind).get(req.kind.key(req.namespace, req.name))
    if record is None:
        raise absent(req)
    account: ServiceAccount = record.obj
    spec = body.spec
    audiences = spec.audiences or tokens.audiences
    seconds = _DEFAULT_SECONDS if spec.expiration_seconds is None else spec.expiration_seconds
    fill(
        body,
        spec=TokenRequestSpec(audiences=audiences, bound_object_ref=spec.bound_object_ref, expiration_seconds=seconds),
    )
    now = pipe.env.clock.now()
    fill(
        body.metadata,
        name=req.name,
        namespace=req.namespace,
        creation_timestamp=format_seconds(now),
        uid=pipe.env.chance.uid(),
    )
    body = await pipe.admission.admit(req, Operation.CREATE, body, None)
    spec = body.spec
    audiences, seconds = spec.audiences, spec.expiration_seconds or seconds
    _refuse("", list(_expiration_errors(seconds)))
    await pipe.admission.validate(req, Operation.CREATE, body, None)
    bound = _bound(pipe, req, spec.bound_object_ref) if spec.bound_object_ref is not None else _Bound({}, False)
    if 0 < tokens.seconds_max < seconds:
        req.warnings.append(f"requested expiration of {seconds} seconds shortened to {tokens.seconds_max} seconds")
        seconds = tokens.seconds_max
        fill(body.spec, expiration_seconds=seconds)
    own = set(audiences) <= set(tokens.audiences)
    extended = tokens.extends and bound.to_pod and seconds == _UNASKED_SECONDS and own
    token = await tokens.issue(
        account,
        audiences,
        _EXTENDED_SECONDS if extended else seconds,
        bound.claims,
        warn_after=seconds if extended else 0,
    )
    fill(body, status=TokenRequestStatus(expiration_timestamp=format_seconds(int(now) + seconds), token=token))
    fill(body, kind="TokenRequest", api_version="authentication.k8s.io/v1")
    req.code = 201
    return body


def _check_names(req: Request, body: TokenRequest) -> None:
    errors = []
    given = body.metadata
    if given.name and given.name != req.name:
        errors.append(invalid(METADATA / "name", given.name, "must match the service account name if specified"))
    if given.namespace and given.namespace != req.namespace:
        why = "must match the service account namespace if specified"
        errors.append(invalid(METADATA / "namespace", given.namespace, why))
    _refuse(req.name, errors)


def _expiration_errors(seconds: int) -> Iterator[FieldError]:
    if seconds < _SECONDS_MIN:
        yield invalid(_EXPIRATION, seconds, "may not specify a duration less than 10 minutes")
    if seconds > _SECONDS_MAX:
        yield invalid(_EXPIRATION, seconds, "may not specify a duration larger than 2^32 seconds")


def _refuse(name: str, errors: list[FieldError]) -> None:
    if errors:
        raise Invalid.named("authentication.k8s.io", "TokenRequest", name, errors)


class _Bound(NamedTuple):
    claims: Mapping[str, Mapping[str, str]]
    to_pod: bool


def _bound(pipe: Pipeline, req: Request, ref: BoundObjectReference) -> _Bound:
    """What the token says of the object that it is bound to. Raises ApiError where that is not the one meant."""
    group, version = parse_api_version(ref.api_version)
    type_ = _BINDABLE.get((group, ref.kind))
    if type_ is None:
        raise BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={ref.kind}")
    obj = _standing(pipe, req.namespace, type_, ref.name)
    if isinstance(obj, Pod) and obj.spec.service_account_name != req.name:
        raise BadRequest(
            f"cannot bind token for serviceaccount {quote(req.name)} to pod running with different serviceaccount name."
        )
    if ref.uid and ref.uid != obj.metadata.uid:
        raise Conflict(
            f"Operation cannot be fulfilled on {ref.kind} {quote(ref.name)}: the UID in the bound object reference "
            f"({ref.uid}) does not match the UID in record. The object might have been deleted and then recreated",
            StatusDetails(name=ref.name, group=group, kind=ref.kind),
        )
    claims = {ref.kind.lower(): {"name": obj.metadata.name, "uid": obj.metadata.uid}}
    if isinstance(obj, Pod) and obj.spec.node_name:
        claims["node"] = _node_claim(pipe, obj.spec.node_name)
    return _Bound(claims, isinstance(obj, Pod))


def _standing(pipe: Pipeline, namespace: str, type_: type[Object], name: str) -> Object:
    kind = pipe.env.scheme.of(type_)
    record = pipe.store(kind).get(kind.key(namespace, name))
    if record is None:
        raise NotFound.of(kind, name)
    found: Object = record.obj
    return found


def _node_claim(pipe: Pipeline, name: str) -> dict[str, str]:
    try:
        return {"name": name, "uid": _standing(pipe, "", Node, name).metadata.uid}
    except NotFound:
        return {"name": name}
