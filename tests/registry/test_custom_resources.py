"""Custom resources through the verbs: as if they were built in, but for what their definition says."""

from __future__ import annotations

import msgspec
import pytest

from kcore.api.autoscaling_v1 import Scale, ScaleSpec
from kcore.api.errors import ApiError, BadRequest, Invalid, MethodNotAllowed, NotFound, UnsupportedMediaType
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.request import PatchType
from kcore.registry.tables import table
from tests.registry.conftest import Api, tree
from tests.registry.widgets import asking, define, turn, version, widget


async def test_what_is_left_out_is_completed_and_what_is_unknown_is_told(api: Api) -> None:
    kind = await define(api)
    request = asking("create", kind)
    stored = tree(await api.registry.create(request, widget(bogus=1)))
    assert stored["spec"] == {"size": 3}
    assert stored["metadata"]["generation"] == 1
    assert request.warnings == ['unknown field "spec.bogus"']


async def test_strict_requests_are_refused_for_unknown_fields(api: Api) -> None:
    kind = await define(api)
    with pytest.raises(BadRequest) as refused:
        await api.registry.create(asking("create", kind, field_validation="Strict"), widget(bogus=1))
    assert refused.value.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.bogus"'
    )


async def test_strict_requests_are_told_all_that_is_unknown_at_once(api: Api) -> None:
    kind = await define(api)
    request = asking("create", kind, field_validation="Strict")
    request.findings.append('unknown field "metadata.x"')
    with pytest.raises(BadRequest) as refused:
        await api.registry.create(request, widget(bogus=1, also=2))
    assert refused.value.message.partition("strict decoding error: ")[2] == (
        'unknown field "metadata.x", unknown field "spec.also", unknown field "spec.bogus"'
    )
    await api.registry.create(asking("create", kind), widget())
    body = b'{"spec": {"bogus": 1, "size": 4, "size": 5}}'
    with pytest.raises(Invalid) as invalid:
        await api.registry.patch(asking("patch", kind, field_validation="Strict"), PatchType.MERGE, body)
    assert invalid.value.message.endswith(
        ': strict decoding error: duplicate field "spec.size", unknown field "spec.bogus"'
    )


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        (b'{"kind": "Gadget"}', 'Gadget.example.com "w" is invalid: kind: Invalid value: "Gadget": must be Widget'),
        (
            b'{"apiVersion": "example.com/v9"}',
            'Widget.example.com "w" is invalid: apiVersion: Invalid value: "example.com/v9": must be example.com/v1',
        ),
    ],
)
async def test_patches_do_not_make_something_else_of_a_resource(api: Api, patch: bytes, why: str) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    with pytest.raises(Invalid) as refused:
        await api.registry.patch(asking("patch", kind), PatchType.MERGE, patch)
    assert refused.value.message == why


async def test_patches_keep_the_warnings_there_were(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    request = asking("patch", kind)
    request.warnings.append("old")
    await api.registry.patch(request, PatchType.MERGE, b'{"spec": {"bogus": 1}}')
    assert request.warnings == ["old", 'unknown field "spec.bogus"']


async def test_scales_take_no_strategic_patches_either(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    with pytest.raises(UnsupportedMediaType):
        await api.registry.patch(asking("patch", kind, subresource="scale"), PatchType.STRATEGIC, b"{}")


async def test_what_does_not_fit_the_schema_is_invalid(api: Api) -> None:
    kind = await define(api)
    with pytest.raises(Invalid) as refused:
        await api.registry.create(asking("create", kind), widget(size=0))
    assert refused.value.message.startswith('Widget.example.com "w" is invalid: spec.size: Invalid value: 0:')


async def test_status_and_spec_are_written_apart(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    patch = msgspec.json.encode({"spec": {"size": 5}, "status": {"replicas": 2}})
    spec = tree(await api.registry.patch(asking("patch", kind), PatchType.MERGE, patch))
    assert ("status" in spec, spec["spec"], spec["metadata"]["generation"]) == (False, {"size": 5}, 2)
    patch = msgspec.json.encode({"spec": {"size": 9}, "status": {"replicas": 2}})
    status = tree(await api.registry.patch(asking("patch", kind, subresource="status"), PatchType.MERGE, patch))
    assert (status["status"], status["spec"]) == ({"replicas": 2}, {"size": 5})
    assert status["metadata"]["generation"] == 2


async def test_updates_name_the_version_they_saw(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    with pytest.raises(Invalid) as refused:
        await api.registry.update(asking("update", kind), widget(size=4))
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in refused.value.message


async def test_strategic_patches_are_not_for_custom_resources(api: Api) -> None:
    kind = await define(api)
    with pytest.raises(UnsupportedMediaType):
        await api.registry.patch(asking("patch", kind), PatchType.STRATEGIC, b"{}")


async def test_scale_stands_where_the_definition_says(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget(replicas=2))
    scale = Scale(metadata=ObjectMeta(name="w", namespace="ns"), spec=ScaleSpec(replicas=7))
    answer = await api.registry.update(asking("update", kind, subresource="scale"), scale)
    assert isinstance(answer, Scale)
    assert answer.spec.replicas == 7
    assert tree(api.registry.get(asking("get", kind)))["spec"]["replicas"] == 7


async def test_an_object_without_replicas_has_no_scale(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    with pytest.raises(NotFound, match=r"replicas field \"\.spec\.replicas\" does not exist"):
        api.registry.get(asking("get", kind, subresource="scale"))


async def test_selectable_fields_select(api: Api) -> None:
    kind = await define(api)
    for name, color in (("a", "red"), ("b", "blue")):
        await api.registry.create(asking("create", kind, name), widget(name, color=color))
    assert api.names("widgets", field_selector="spec.color=red") == ["a"]
    with pytest.raises(BadRequest, match=r"field label not supported: spec\.size"):
        api.names("widgets", field_selector="spec.size=3")


async def test_columns_are_those_of_the_definition(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget(size=4))
    shown = table(kind, api.list("widgets").records, now=0.0)
    assert [column["name"] for column in shown["columnDefinitions"]] == ["Name", "Size"]
    assert shown["rows"][0]["cells"] == ("w", 4)


async def test_each_version_shows_what_its_schema_knows(api: Api) -> None:
    other = {"type": "object", "properties": {"color": {"type": "string"}, "shape": {"type": "string"}}}
    v1 = await define(api, version(), version("v2", other))
    v2 = api.registry.scheme.find("example.com", "v2", "widgets")
    assert v2 is not None
    created = tree(await api.registry.create(asking("create", v2), widget(color="red", shape="round")))
    assert created["spec"] == {"color": "red"}
    assert tree(api.registry.get(asking("get", v1)))["spec"] == {"color": "red", "size": 3}
    assert tree(api.registry.get(asking("get", v2)))["spec"] == {"color": "red"}


async def test_nothing_is_made_while_the_definition_goes(api: Api) -> None:
    kind = await define(api)
    await api.registry.create(asking("create", kind), widget())
    await api.delete("customresourcedefinitions", "widgets.example.com")
    await turn()
    with pytest.raises(MethodNotAllowed):
        await api.registry.create(asking("create", kind, "x"), widget("x"))
    assert tree(api.registry.get(asking("get", kind)))["spec"] == {"size": 3}


async def test_a_changed_schema_counts_at_once(api: Api) -> None:
    kind = await define(api)
    wide = {"type": "object", "properties": {"anything": {"type": "string"}}}
    patch = {"spec": {"versions": [version(spec=wide, selectableFields=[])]}}
    await api.patch("customresourcedefinitions", "widgets.example.com", patch)
    await turn()
    stored = tree(await api.registry.create(asking("create", kind), widget(anything="x")))
    assert stored["spec"] == {"anything": "x"}


async def test_a_kind_goes_with_its_definition(api: Api) -> None:
    await define(api)
    gone: list[tuple[str, bool]] = []
    api.registry.scheme.subscribe(lambda kind, served: gone.append((kind.name, served)))
    await api.delete("customresourcedefinitions", "widgets.example.com")
    await api.patch("customresourcedefinitions", "widgets.example.com", {"metadata": {"finalizers": None}})
    await turn()
    assert api.registry.scheme.find("example.com", "v1", "widgets") is None
    assert gone[-1] == ("Widget", False)


async def test_errors_are_the_registrys_own(api: Api) -> None:
    kind = await define(api)
    with pytest.raises(ApiError) as absent:
        api.registry.get(asking("get", kind, "none"))
    assert absent.value.message == 'widgets.example.com "none" not found'
