"""Admission policies: what they refuse, warn of, note and change, and which requests they are about."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.api.errors import ApiError, Forbidden, Invalid
from kcore.registry.request import User
from tests.registry.conftest import HandClock
from tests.registry.webhooks import HookedApi, hooked_api, patch

CM = {"metadata": {"name": "cm"}, "data": {"a": "1"}}
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}


class PolicyApi:
    """Policies and bindings as short as a test wants them."""

    def __init__(self, api: HookedApi) -> None:
        self.api = api

    async def validating(self, name: str = "p", *, rule: Any = RULE, bound: Any = None, **spec: Any) -> None:
        """A policy and its binding, which denies unless `bound` says otherwise; `bound` False: there is none."""
        spec.setdefault("matchConstraints", {"resourceRules": [rule]})
        await self.api.create("validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
        if bound is not False:
            await self.bind("validating", name, {"validationActions": ["Deny"], **(bound or {})})

    async def mutating(
        self, *expressions: str, name: str = "p", rule: Any = RULE, bound: Any = None, **spec: Any
    ) -> None:
        """A policy whose mutations are these: configurations, or JSON patches where they begin as lists."""
        mutations = [
            {"patchType": "JSONPatch", "jsonPatch": {"expression": e}}
            if e.startswith("[")
            else {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": e}}
            for e in expressions
        ]
        spec.setdefault("matchConstraints", {"resourceRules": [rule]})
        spec = {"mutations": mutations, "reinvocationPolicy": "Never", **spec}
        await self.api.create("mutatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
        await self.bind("mutating", name, bound or {})

    async def bind(self, type_: str, policy: str, spec: Any, name: str = "") -> None:
        document = {"metadata": {"name": name or policy}, "spec": {"policyName": policy, **spec}}
        await self.api.create(f"{type_}admissionpolicybindings", document)

    async def allows(self, document: Any = CM, resource: str = "configmaps", **request: Any) -> bool:
        try:
            await self.api.create(resource, document, self.api.request("create", resource, dry_run=True, **request))
        except ApiError:
            return False
        return True

    async def made(self, document: Any = CM, resource: str = "configmaps") -> Any:
        return await self.api.create(resource, document, self.api.request("create", resource, dry_run=True))


@pytest.fixture
async def api(clock: HandClock) -> HookedApi:
    return await hooked_api(clock)


@pytest.fixture
def policies(api: HookedApi) -> PolicyApi:
    return PolicyApi(api)


def rules(*expressions: str) -> list[dict[str, str]]:
    return [{"expression": expression} for expression in expressions]


# --- what expressions know ---


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("object.data.a == '1'", True),
        ("object.data.a == '2'", False),
        ("has(object.data.b)", False),
        ("object.kind == 'ConfigMap' && object.apiVersion == 'v1'", True),
        ("oldObject == null", True),
        ("request.operation == 'CREATE' && request.name == 'cm' && request.namespace == 'ns'", True),
        ("request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'", True),
        ("request.userInfo.username == 'admin' && 'system:masters' in request.userInfo.groups", True),
        ("request.dryRun", True),
        ("!has(request.subResource)", True),
        ("request.options.kind == 'CreateOptions'", True),
        ("namespaceObject.metadata.labels.team == 'blue'", True),
        ("namespaceObject.status.phase == 'Active'", True),
        ("authorizer.group('').resource('secrets').namespace('ns').check('get').allowed()", True),
        ("authorizer.requestResource.check('create').allowed()", True),
        ("authorizer.path('/healthz').check('get').allowed()", True),
        ("authorizer.serviceAccount('ns', 'sa').group('').resource('pods').check('list').allowed()", False),
    ],
)
async def test_expressions_know_the_request(policies: PolicyApi, expression: str, allowed: bool) -> None:
    await policies.validating(validations=rules(expression))
    assert await policies.allows() is allowed


async def test_updates_and_deletions_show_what_stands(policies: PolicyApi) -> None:
    api = policies.api
    await api.create("configmaps", CM)
    await policies.validating(
        validations=[
            {"expression": "request.operation != 'UPDATE' || object.data == oldObject.data", "message": "frozen"},
            {
                "expression": "request.operation != 'DELETE' || object == null && !has(oldObject.data)",
                "message": "kept",
            },
        ]
    )
    with pytest.raises(ApiError, match="denied request: frozen"):
        await api.patch("configmaps", "cm", {"data": {"a": "2"}})
    with pytest.raises(ApiError, match="denied request: kept"):
        await api.delete("configmaps", "cm")


# --- what is said ---


@pytest.mark.parametrize(
    ("validation", "code", "reason", "words"),
    [
        ({}, 422, "Invalid", "failed expression: object.data.a != '1'"),
        ({"message": " no "}, 422, "Invalid", "no"),
        ({"messageExpression": "'not ' + object.data.a", "message": "no"}, 422, "Invalid", "not 1"),
        ({"messageExpression": "string(object.nope)", "message": "no"}, 422, "Invalid", "no"),
        ({"messageExpression": "'two\\nlines'", "message": "no"}, 422, "Invalid", "no"),
        ({"reason": "Forbidden"}, 403, "Forbidden", "failed expression: object.data.a != '1'"),
        ({"reason": "RequestEntityTooLarge"}, 413, "RequestEntityTooLarge", "failed expression: object.data.a != '1'"),
    ],
)
async def test_refusal_is_told_as_the_rule_wants(
    policies: PolicyApi, validation: Any, code: int, reason: str, words: str
) -> None:
    await policies.validating(validations=[{"expression": "object.data.a != '1'", **validation}])
    with pytest.raises(ApiError) as refused:
        await policies.made()
    told = f"ValidatingAdmissionPolicy 'p' with binding 'p' denied request: {words}"
    status = refused.value.status
    assert (status.code, status.reason) == (code, reason)
    assert status.message == f'configmaps "cm" is forbidden: {told}'
    assert status.details is not None
    assert [cause.message for cause in status.details.causes] == [told]


async def test_binding_may_warn_and_note_instead(policies: PolicyApi) -> None:
    await policies.validating(
        validations=[{"expression": "false", "message": "careful"}], bound={"validationActions": ["Warn", "Audit"]}
    )
    request = policies.api.request("create", "configmaps")
    await policies.api.create("configmaps", CM, request)
    assert request.warnings == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': careful"]
    noted = (request.annotations or {})["validation.policy.admission.k8s.io/validation_failure"]
    assert '"message":"careful"' in noted


async def test_annotations_are_made_by_expressions(policies: PolicyApi) -> None:
    annotations = [
        {"key": "seen", "valueExpression": "'a=' + object.data.a"},
        {"key": "none", "valueExpression": "null"},
    ]
    await policies.validating(auditAnnotations=annotations)
    request = policies.api.request("create", "configmaps")
    await policies.api.create("configmaps", CM, request)
    assert request.annotations == {"p/seen": "a=1"}


# --- when it counts ---


async def test_policy_without_a_binding_does_nothing(policies: PolicyApi) -> None:
    await policies.validating(validations=rules("false"), bound=False)
    assert await policies.allows()


@pytest.mark.parametrize(
    ("constraints", "allowed"),
    [
        ({"resourceRules": [{**RULE, "operations": ["UPDATE"]}]}, True),
        ({"resourceRules": [{**RULE, "resourceNames": ["cm"]}]}, False),
        ({"resourceRules": [{**RULE, "resourceNames": ["other"]}]}, True),
        ({"resourceRules": [RULE], "excludeResourceRules": [{**RULE, "resourceNames": ["cm"]}]}, True),
        ({"resourceRules": [RULE], "excludeResourceRules": [{**RULE, "resourceNames": ["other"]}]}, False),
        ({"resourceRules": [RULE], "excludeResourceRules": [RULE]}, True),
        ({"resourceRules": [RULE], "namespaceSelector": {"matchLabels": {"team": "red"}}}, True),
        ({"resourceRules": [RULE], "objectSelector": {"matchLabels": {"app": "web"}}}, True),
    ],
)
@pytest.mark.parametrize("where", ["policy", "binding"])
async def test_policy_and_binding_say_what_they_are_about(
    policies: PolicyApi, where: str, constraints: Any, allowed: bool
) -> None:
    if where == "policy":
        await policies.validating(validations=rules("false"), matchConstraints=constraints)
    else:
        await policies.validating(validations=rules("false"), bound={"matchResources": constraints})
    assert await policies.allows() is allowed


@pytest.mark.parametrize(
    ("conditions", "failure_policy", "allowed"),
    [
        (["request.name == 'other'"], "Fail", True),
        (["request.name == 'cm'"], "Fail", False),
        (["object.nope == 1", "false"], "Fail", True),
        (["object.nope == 1", "true"], "Fail", False),
        (["object.nope == 1"], "Ignore", True),
    ],
)
async def test_all_match_conditions_must_hold(
    policies: PolicyApi, conditions: list[str], failure_policy: str, allowed: bool
) -> None:
    named = [{"name": f"c{i}", "expression": expression} for i, expression in enumerate(conditions)]
    await policies.validating(validations=rules("false"), matchConditions=named, failurePolicy=failure_policy)
    assert await policies.allows() is allowed


async def test_policies_do_not_judge_policies(policies: PolicyApi) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    await policies.validating(validations=rules("false"), rule=rule)
    await policies.api.delete("validatingadmissionpolicybindings", "p")
    assert await policies.allows()


# --- failures ---


@pytest.mark.parametrize(("failure_policy", "allowed"), [("Fail", False), ("Ignore", True)])
async def test_expression_without_a_value_counts_as_the_policy_says(
    policies: PolicyApi, failure_policy: str, allowed: bool
) -> None:
    await policies.validating(validations=rules("object.data.nope == '1'"), failurePolicy=failure_policy)
    assert await policies.allows() is allowed
    if not allowed:
        with pytest.raises(Invalid if allowed else ApiError) as refused:
            await policies.made()
        words = "expression 'object.data.nope == '1'' resulted in error: no such key: nope"
        assert refused.value.message.endswith(words)


async def test_expensive_policy_is_stopped(policies: PolicyApi) -> None:
    expression = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, " * 3 + "object.data.a.size() > 0" + "))" * 3
    await policies.validating(validations=rules(expression))
    with pytest.raises(ApiError, match="actual cost limit exceeded"):
        await policies.made()


# --- variables ---


async def test_variables_build_on_each_other_and_are_worked_out_when_asked_for(policies: PolicyApi) -> None:
    variables = [
        {"name": "a", "expression": "object.data.a"},
        {"name": "twice", "expression": "variables.a + variables.a"},
        {"name": "broken", "expression": "object.nope.nope"},
    ]
    await policies.validating(
        variables=variables, validations=rules("variables.twice == '11'", "true || variables.broken == 1")
    )
    assert await policies.allows()


async def test_variable_without_a_value_is_told(policies: PolicyApi) -> None:
    await policies.validating(
        variables=[{"name": "v", "expression": "object.nope"}], validations=rules("variables.v == 1")
    )
    with pytest.raises(ApiError, match='composited variable "v" fails to evaluate: no such key: nope'):
        await policies.made()


# --- params ---


PARAM_KIND = {"apiVersion": "v1", "kind": "ConfigMap"}


async def with_params(policies: PolicyApi, reference: Any, *limits: str) -> None:
    """A policy about Secrets whose params are ConfigMaps, labelled `set: yes`."""
    for i, limit in enumerate(limits):
        metadata = {"name": f"limit{i}", "labels": {"set": "yes"}}
        await policies.api.create("configmaps", {"metadata": metadata, "data": {"max": limit}})
    await policies.validating(
        rule={**RULE, "resources": ["secrets"]},
        paramKind=PARAM_KIND,
        validations=rules("size(object.data) <= int(params.data.max)"),
        bound={"paramRef": {"parameterNotFoundAction": "Deny", **reference}},
    )


SECRET = {"metadata": {"name": "s"}, "stringData": {"a": "", "b": ""}}


@pytest.mark.parametrize(
    ("limits", "reference", "allowed"),
    [
        (["2"], {"name": "limit0"}, True),
        (["1"], {"name": "limit0"}, False),
        (["1"], {"name": "limit0", "namespace": "ns"}, False),
        (["2"], {"name": "absent"}, False),
        (["2"], {"name": "absent", "parameterNotFoundAction": "Allow"}, True),
        (["2", "3"], {"selector": {"matchLabels": {"set": "yes"}}}, True),
        (["2", "1"], {"selector": {"matchLabels": {"set": "yes"}}}, False),
        ([], {"selector": {}, "parameterNotFoundAction": "Allow"}, True),
        ([], {"selector": {}}, False),
    ],
)
async def test_params_are_found_by_name_or_selector(
    policies: PolicyApi, limits: list[str], reference: Any, allowed: bool
) -> None:
    await with_params(policies, reference, *limits)
    assert await policies.allows(SECRET, "secrets") is allowed


async def test_missing_params_are_told(policies: PolicyApi) -> None:
    await with_params(policies, {"name": "absent"})
    with pytest.raises(ApiError) as refused:
        await policies.made(SECRET, "secrets")
    assert refused.value.message.endswith(
        "denied request: failed to configure binding: no params found for policy binding with `Deny` "
        "parameterNotFoundAction"
    )


async def test_unknown_kind_of_params_is_told(policies: PolicyApi) -> None:
    await policies.validating(
        paramKind={"apiVersion": "x.example.com/v1", "kind": "Limit"},
        validations=rules("params != null"),
        bound={"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}},
    )
    with pytest.raises(ApiError) as refused:
        await policies.made()
    assert "failed to find resource referenced by paramKind: 'x.example.com/v1, Kind=Limit'" in refused.value.message


# --- expressions are checked when a policy is written ---


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"validations": rules("object.a ==")},
            'spec.validations[0].expression: Invalid value: "object.a ==": compilation failed: ERROR: <input>:1:12',
        ),
        (
            {"validations": rules("foo")},
            'spec.validations[0].expression: Invalid value: "foo": compilation failed: ERROR: <input>:1:1: '
            "undeclared reference to 'foo' (in container '')",
        ),
        ({"validations": rules("1")}, "must evaluate to bool but got int"),
        ({"validations": rules("params.x == 1")}, "undeclared reference to 'params'"),
        ({"validations": rules("request.nope == 1")}, "undefined field 'nope'"),
        ({"validations": rules("variables.nope == 1")}, "undeclared reference to 'variables'"),
        (
            {"validations": [{"expression": "true", "messageExpression": "1"}]},
            'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string but got int',
        ),
        (
            {"validations": [{"expression": "true", "messageExpression": "authorizer.group('').resource('x')"}]},
            "undeclared reference to 'authorizer'",
        ),
        (
            {"variables": [{"name": "v", "expression": "nope"}], "validations": rules("true")},
            "spec.variables[0].expression: Invalid value",
        ),
        (
            {"variables": [{"name": "v", "expression": "1"}], "validations": rules("variables.w == 1")},
            "undefined field 'w'",
        ),
        (
            {"variables": [{"name": "v", "expression": "1"}], "validations": rules("variables.v == 'x'")},
            "found no matching overload for '_==_' applied to '(int, string)'",
        ),
        (
            {"matchConditions": [{"name": "c", "expression": "1"}], "validations": rules("true")},
            'spec.matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int',
        ),
        (
            {"validations": rules("bool('10.0.0.0/8')")},
            "spec.validations[0].expression: Internal error: program instantiation failed: "
            "type conversion error from 'string' to 'bool'",
        ),
        (
            {"variables": [{"name": "v", "expression": "variables.v"}], "validations": rules("true")},
            "undefined field 'v'",
        ),
        (
            {"matchConditions": [{"name": "c", "expression": " 1 "}], "validations": rules("true")},
            'spec.matchConditions[0].expression: Invalid value: "1": must evaluate to bool but got int',
        ),
        (
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            "spec.auditAnnotations[0].valueExpression: "
            'Invalid value: "1": must evaluate to one of [string null_type] but got int',
        ),
    ],
)
async def test_expression_that_cannot_be_compiled_is_refused(policies: PolicyApi, spec: Any, error: str) -> None:
    with pytest.raises(Invalid) as refused:
        await policies.validating(**spec)
    assert error in refused.value.message


async def test_conditions_of_webhooks_are_checked_and_asked(api: HookedApi) -> None:
    condition = {"name": "c", "expression": "object.data.a == '2'"}
    with pytest.raises(Invalid, match=r"webhooks\[0\]\.matchConditions\[0\]\.expression"):
        await api.hook("bad", "", matchConditions=[{"name": "c", "expression": "nope"}])
    await api.hook("see", lambda request: {"allowed": False}, matchConditions=[condition])
    await api.create("configmaps", CM)
    with pytest.raises(ApiError, match="denied the request"):
        await api.patch("configmaps", "cm", {"data": {"a": "2"}})


async def test_condition_without_a_value_refuses_unless_failures_are_ignored(api: HookedApi) -> None:
    condition = {"name": "c", "expression": "object.nope == 1"}
    await api.hook("lax", lambda request: {"allowed": False}, matchConditions=[condition], failurePolicy="Ignore")
    await api.create("configmaps", CM)
    await api.hook("strict", lambda request: {"allowed": True}, matchConditions=[condition])
    with pytest.raises(Forbidden, match="no such key: nope"):
        await api.patch("configmaps", "cm", {"data": {"a": "2"}})


# --- mutations ---

LABEL = 'Object{metadata: Object.metadata{labels: {"who": request.userInfo.username}}}'


async def test_configuration_is_merged_into_the_object(policies: PolicyApi) -> None:
    await policies.mutating(LABEL)
    document = {"metadata": {"name": "cm", "labels": {"own": "1", "who": "me"}}, "data": {"a": "1"}}
    made = await policies.made(document)
    assert made["metadata"]["labels"] == {"own": "1", "who": "admin"}
    assert made["data"] == {"a": "1"}


async def test_items_of_lists_are_merged_by_their_keys(policies: PolicyApi) -> None:
    sidecar = (
        'Object{spec: Object.spec{initContainers: [Object.spec.initContainers{name: "proxy", image: "p:1", '
        'restartPolicy: "Always"}], containers: [Object.spec.containers{name: "c", workingDir: "/w"}]}}'
    )
    await policies.mutating(sidecar, rule={**RULE, "resources": ["pods"]})
    spec = {"containers": [{"name": "c", "image": "i:1"}], "initContainers": [{"name": "own", "image": "o:1"}]}
    made = (await policies.made({"metadata": {"name": "p"}, "spec": spec}, "pods"))["spec"]
    assert [c["name"] for c in made["initContainers"]] == ["own", "proxy"]
    assert made["containers"][0]["image"] == "i:1"
    assert made["containers"][0]["workingDir"] == "/w"
    assert made["initContainers"][1]["imagePullPolicy"] == "IfNotPresent"


async def test_operations_are_applied(policies: PolicyApi) -> None:
    await policies.mutating(
        '[JSONPatch{op: "add", path: "/data/b", value: object.data.a + "!"}, JSONPatch{op: "remove", path: "/data/a"}]'
    )
    assert (await policies.made())["data"] == {"b": "1!"}


async def test_failed_test_leaves_the_object_alone(policies: PolicyApi) -> None:
    await policies.mutating(
        '[JSONPatch{op: "test", path: "/data/a", value: "2"}, JSONPatch{op: "remove", path: "/data/a"}]'
    )
    assert (await policies.made())["data"] == {"a": "1"}


async def test_mutations_see_what_the_former_made(policies: PolicyApi) -> None:
    await policies.mutating('Object{data: {"b": "2"}}', 'Object{data: {"c": object.data.b + "3"}}')
    assert (await policies.made())["data"] == {"a": "1", "b": "2", "c": "23"}


async def test_policies_run_in_the_order_of_their_names(policies: PolicyApi) -> None:
    await policies.mutating('Object{data: {"a": object.data.a + "z"}}', name="z")
    await policies.mutating('Object{data: {"a": object.data.a + "b"}}', name="b")
    assert (await policies.made())["data"] == {"a": "1bz"}


async def test_policy_that_asks_for_it_runs_again_after_a_later_change(policies: PolicyApi) -> None:
    await policies.mutating('Object{data: {"a": object.data.a + "x"}}', name="a", reinvocationPolicy="IfNeeded")
    await policies.mutating('Object{data: {"b": "1"}}', name="b")
    assert (await policies.made())["data"] == {"a": "1xx", "b": "1"}


async def test_policies_run_before_webhooks_and_again_after_them(policies: PolicyApi) -> None:
    await policies.mutating('Object{data: {"seen": string(size(object.data))}}', reinvocationPolicy="IfNeeded")
    operation = {"op": "add", "path": "/data/hook", "value": "x"}
    await policies.api.hook("hook", patch(operation), mutating=True)
    assert (await policies.made())["data"] == {"a": "1", "hook": "x", "seen": "3"}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (
            'Object{spec: Object.spec{nodeSelector: {"a": "b"}}}',
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: "
            ".spec.nodeSelector",
        ),
        (
            "Object{spec: Object.wrong{hostNetwork: true}}",
            'type mismatch: unexpected type name "Object.wrong", expected "Object.spec", which matches field name path '
            "from root Object type",
        ),
        (
            "Object{nope: 1}",
            "error applying patch: failed to convert patch object to typed object: .nope: field not declared in schema",
        ),
        (
            "Object{spec: Object.spec{hostname: object.nope}}",
            "expression 'Object{spec: Object.spec{hostname: object.nope}}' resulted in error: no such key: nope",
        ),
        ('[JSONPatch{op: "remove", path: "/nope/nope"}]', "JSONPath: "),
    ],
)
async def test_mutation_that_cannot_be_made_refuses_the_request(
    policies: PolicyApi, expression: str, words: str
) -> None:
    await policies.mutating(expression, rule={**RULE, "resources": ["pods"]})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(ApiError) as refused:
        await policies.made(pod, "pods")
    assert refused.value.message.startswith(f"policy 'p' with binding 'p' denied request: {words}")
    assert (refused.value.status.code, refused.value.status.reason) == (403, "Invalid")


async def test_mutation_that_fails_is_ignored_where_the_policy_says_so(policies: PolicyApi) -> None:
    await policies.mutating("Object{nope: 1}", failurePolicy="Ignore")
    assert (await policies.made())["data"] == {"a": "1"}


async def test_validating_policies_judge_what_mutating_ones_made(policies: PolicyApi) -> None:
    await policies.mutating(LABEL)
    await policies.validating(validations=rules("object.metadata.labels.who == 'admin'"))
    assert await policies.allows()


async def test_user_is_who_asks_not_who_wrote_the_policy(policies: PolicyApi) -> None:
    await policies.validating(validations=rules("authorizer.requestResource.check('delete').allowed()"))
    request = policies.api.request("create", "configmaps", dry_run=True)
    request.user = User("vera", groups=("system:authenticated",))
    with pytest.raises(ApiError, match="denied request"):
        await policies.api.create("configmaps", CM, request)


@pytest.mark.parametrize(
    ("resource", "document", "words"),
    [
        (
            "validatingadmissionpolicies",
            {
                "metadata": {"name": "peek"},
                "spec": {
                    "paramKind": {"apiVersion": "v1", "kind": "Secret"},
                    "matchConstraints": {"resourceRules": [RULE]},
                    "validations": rules("params.data.x == 'y'"),
                },
            },
            'spec.paramKind: Forbidden: user &{vera  [system:authenticated] map[]} must have "get" permission on all '
            "objects of the referenced paramKind (kind=Secret, apiVersion=v1)",
        ),
        (
            "validatingadmissionpolicybindings",
            {
                "metadata": {"name": "peek"},
                "spec": {
                    "policyName": "absent",
                    "validationActions": ["Deny"],
                    "paramRef": {"name": "s", "namespace": "ns", "parameterNotFoundAction": "Deny"},
                },
            },
            "spec.paramRef: Forbidden: user &{vera  [system:authenticated] map[]} does not have "
            '"get" permission on the object referenced by paramRef',
        ),
    ],
)
async def test_who_may_not_read_params_may_not_have_policies_read_them(
    policies: PolicyApi, resource: str, document: Any, words: str
) -> None:
    request = policies.api.request("create", resource)
    request.user = User("vera", groups=("system:authenticated",))
    with pytest.raises(Invalid) as refused:
        await policies.api.create(resource, document, request)
    assert words in refused.value.message
    await policies.api.create(resource, document)
