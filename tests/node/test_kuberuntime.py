"""From pods to what a runtime is asked: environment, mounts, users, probes, hosts; the pure parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import pytest
from msgspec.structs import replace

from kcore.api.core_v1 import (
    ConfigMap,
    Container,
    ContainerPort,
    EnvVar,
    EnvVarSource,
    HostAlias,
    ImageVolumeSource,
    ObjectFieldSelector,
    PodDNSConfig,
    PodDNSConfigOption,
    PodSecurityContext,
    Probe,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretKeySelector,
    SecurityContext,
    Service,
    ServicePort,
    ServiceSpec,
    Volume,
    VolumeMount,
)
from kcore.api.meta_v1 import ObjectMeta
from kcore.node.cri import ContainerConfig, ImageInfo, Mount, User
from kcore.node.downward import DownwardError
from kcore.node.kuberuntime.container_config import Prepared, container_config
from kcore.node.kuberuntime.environment import ConfigError, Surroundings, environment, expand, service_variables
from kcore.node.kuberuntime.hosts import hosts_file
from kcore.node.kuberuntime.log_files import _tail_offset
from kcore.node.kuberuntime.probes import Outcome, Prober, Verdict, judge
from kcore.node.kuberuntime.questions import port_number
from kcore.node.kuberuntime.resolver import ClusterDns, resolver_file
from kcore.node.process.images import ImagesFile, ImagesFileError
from kcore.node.process.relocation import MOUNT_POINT, link_mounts, relocate
from kcore.node.runtime import Health
from kcore.node.volumes.atomic import File, write_atomically
from tests.node.pods import container, pod


class Objects:
    """What a test has in its namespace."""

    def config_map(self, namespace: str, name: str) -> ConfigMap | None:
        return ConfigMap(data={"key": "value"}) if name == "there" else None

    def secret(self, namespace: str, name: str) -> Secret | None:
        return Secret(data={"key": "aGlkZGVu"}) if name == "there" else None


AROUND = Surroundings(("10.0.0.5", "10.0.0.1"), {"cpu": "4", "memory": "1Gi"}, (), {"POD_IP": "10.0.0.5"})


def of(*variables: EnvVar, **fields: object) -> Mapping[str, str]:
    one: Container = replace(container(), env=variables, **fields)
    return environment(pod(containers=[one]), one, AROUND, Objects())


def field(path: str) -> EnvVarSource:
    return EnvVarSource(field_ref=ObjectFieldSelector(field_path=path))


def resource(name: str, divisor: str = "0") -> EnvVarSource:
    return EnvVarSource(resource_field_ref=ResourceFieldSelector(resource=name, divisor=divisor))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$(B)", "$(B)"),
        ("a$(A)b$(A)", "a1b1"),
        ("$A ${A} $", "$A ${A} $"),
        ("$$$(A)", "$1"),
    ],
)
def test_references_are_expanded(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (field("metadata.name"), "web"),
        (field("status.podIP"), "10.0.0.5"),
        (field("status.hostIP"), "10.0.0.1"),
        (field("spec.nodeName"), "node-0"),
        (field("metadata.labels['x']"), ""),
        (resource("limits.cpu"), "4"),
        (resource("limits.memory", "1Mi"), "1024"),
        (resource("requests.cpu", "1m"), "250"),
        (resource("requests.cpu"), "1"),
        (EnvVarSource(secret_key_ref=SecretKeySelector(name="there", key="key")), "hidden"),
    ],
)
def test_variables_come_from_elsewhere(source: EnvVarSource, expected: str) -> None:
    resources = ResourceRequirements(requests={"cpu": "250m"})
    assert of(EnvVar(name="X", value_from=source), resources=resources)["X"] == expected


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        (SecretKeySelector(name="gone", key="key"), 'secret "gone" not found'),
        (SecretKeySelector(name="there", key="none"), "couldn't find key none in Secret default/there"),
    ],
)
def test_what_is_not_there_is_named(selector: SecretKeySelector, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        of(EnvVar(name="X", value_from=EnvVarSource(secret_key_ref=selector)))
    optional = replace(selector, optional=True)
    assert "X" not in of(EnvVar(name="X", value_from=EnvVarSource(secret_key_ref=optional)))


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(DownwardError, match=r"unsupported fieldPath: spec\.magic"):
        of(EnvVar(name="X", value_from=field("spec.magic")))


def test_services_are_announced() -> None:
    ports = (ServicePort(name="http", port=80), ServicePort(name="metrics", port=9090))
    spec = ServiceSpec(cluster_ip="10.96.0.7", ports=ports)
    near = Service(metadata=ObjectMeta(name="my-db", namespace="default"), spec=spec)
    far = Service(metadata=ObjectMeta(name="far", namespace="other"), spec=spec)
    headless = Service(metadata=ObjectMeta(name="none", namespace="default"), spec=replace(spec, cluster_ip="None"))
    told = service_variables(pod(), [near, far, headless])
    assert told["MY_DB_SERVICE_HOST"] == "10.96.0.7"
    assert told["MY_DB_SERVICE_PORT"] == "80"
    assert told["MY_DB_SERVICE_PORT_METRICS"] == "9090"
    assert told["MY_DB_PORT"] == "tcp://10.96.0.7:80"
    assert told["MY_DB_PORT_9090_TCP_ADDR"] == "10.96.0.7"
    assert not any(name.startswith(("FAR", "NONE")) for name in told)


def prepared(tmp_path: Path, image: ImageInfo | None = None, **folders: Path) -> Prepared:
    hosts, resolver, words, log = (tmp_path / name for name in ("hosts", "resolv.conf", "words", "log"))
    return Prepared(image or ImageInfo("i"), folders, hosts, resolver, words, log)


CLUSTER = ClusterDns("127.64.0.10")
MACHINE = "nameserver 9.9.9.9\nsearch example.com\noptions timeout:1\n"
FIRST = (
    "nameserver 127.64.0.10\nnameserver 9.9.9.9\n"
    "search default.svc.cluster.local svc.cluster.local cluster.local example.com\noptions ndots:5\n"
)
CONFIG = PodDNSConfig(nameservers=("1.1.1.1",), options=(PodDNSConfigOption(name="ndots", value="2"),))


@pytest.mark.parametrize(
    ("policy", "cluster", "config", "text"),
    [
        ("ClusterFirst", CLUSTER, None, FIRST),
        ("", CLUSTER, None, FIRST),
        ("ClusterFirst", ClusterDns(), None, None),
        ("Default", CLUSTER, None, None),
        (
            "Default",
            CLUSTER,
            CONFIG,
            "nameserver 9.9.9.9\nnameserver 1.1.1.1\nsearch example.com\noptions timeout:1 ndots:2\n",
        ),
        ("None", CLUSTER, CONFIG, "nameserver 1.1.1.1\noptions ndots:2\n"),
    ],
)
def test_resolvers(policy: str, cluster: ClusterDns, config: PodDNSConfig | None, text: str | None) -> None:
    made = pod()
    made = replace(made, spec=replace(made.spec, dns_policy=policy, dns_config=config))
    assert resolver_file(made, cluster, MACHINE) == text


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ((), (), ["entry", "default"]),
        ((), ("own",), ["entry", "own"]),
        (("mine",), (), ["mine"]),
        (("mine",), ("$(A)",), ["mine", "1"]),
    ],
)
def test_commands_and_args(
    tmp_path: Path, command: Sequence[str], args: Sequence[str], expected: Sequence[str]
) -> None:
    one: Container = replace(container(), command=tuple(command), args=tuple(args))
    image = ImageInfo("i", command=["entry"], args=["default"], env={"A": "0", "B": "2"})
    config = container_config(pod(containers=[one]), one, 0, {"A": "1"}, prepared(tmp_path, image), {})
    assert config.command == expected
    assert config.env == {"A": "1", "B": "2"}


def test_users_of_the_container_win_over_the_pods(tmp_path: Path) -> None:
    one: Container = replace(container(), security_context=SecurityContext(run_as_user=7))
    made = pod(containers=[one])
    context = PodSecurityContext(run_as_user=1, run_as_group=2, fs_group=3, supplemental_groups=(4,))
    made = replace(made, spec=replace(made.spec, security_context=context))
    assert container_config(made, one, 0, {}, prepared(tmp_path), {}).user == User(7, 2, (4, 3))


@pytest.mark.parametrize("inner", ["../x", "/x", "link/../../x", "link"])
def test_sub_paths_stay_in_their_volume(tmp_path: Path, inner: str) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "link").symlink_to(tmp_path)
    one: Container = replace(container(), volume_mounts=(VolumeMount(name="v", mount_path="/v", sub_path=inner),))
    with pytest.raises(ConfigError, match="subPath"):
        container_config(pod(containers=[one]), one, 0, {}, prepared(tmp_path, v=tmp_path / "volume"), {})


def test_images_as_volumes_are_only_read(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    mounts = (VolumeMount(name="v", mount_path="/v"), VolumeMount(name="v", mount_path="/w", sub_path="inner"))
    one: Container = replace(container(), volume_mounts=mounts)
    volume = Volume(name="v", image=ImageVolumeSource(reference="data:1"))
    given = pod(containers=[one])
    given = replace(given, spec=replace(given.spec, volumes=(volume,)))
    ready = prepared(tmp_path)._replace(roots={"data:1": tmp_path})
    found = container_config(given, one, 0, {}, ready, {}).mounts[:2]
    assert found == [Mount(tmp_path, "/v", True), Mount(tmp_path / "inner", "/w", True)]
    (tmp_path / "inner").rmdir()
    with pytest.raises(ConfigError, match="is not in the image"):
        container_config(given, one, 0, {}, ready, {})


def test_hosts_name_the_pod_and_its_aliases() -> None:
    made = pod()
    spec = replace(
        made.spec, hostname="me", subdomain="sub", host_aliases=(HostAlias(ip="1.2.3.4", hostnames=("a", "b")),)
    )
    text = hosts_file(replace(made, spec=spec), "10.0.0.5")
    assert "10.0.0.5\tme.sub.default.svc.cluster.local\tme\n" in text
    assert text.endswith("# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_ports_have_names() -> None:
    one: Container = replace(container(), ports=(ContainerPort(name="http", container_port=8080),))
    assert (port_number(one, "http"), port_number(one, 9), port_number(one, "9")) == (8080, 9, 9)
    with pytest.raises(LookupError, match="couldn't find port: grpc"):
        port_number(one, "grpc")


@pytest.mark.parametrize(
    ("answers", "failures", "successes", "verdict"),
    [
        ([True], 3, 1, True),
        ([True], 3, 2, None),
        ([True, True], 3, 2, True),
        ([True, False, False], 3, 1, True),
        ([True, False, False, False], 3, 1, False),
        ([False, False, True, False], 2, 1, True),
        ([False, False], 2, 1, False),
    ],
)
def test_thresholds(answers: Sequence[bool], failures: int, successes: int, verdict: bool | None) -> None:
    probe, found = Probe(failure_threshold=failures, success_threshold=successes), Verdict(None)
    for good in answers:
        found = judge(found, good, probe)
    assert found.good is verdict


async def probed(one: Container, answers: Mapping[str, Sequence[bool]], seconds: float) -> list[tuple[float, Health]]:
    """What becomes of a container's health, and when."""
    began, turns = anyio.current_time(), list[tuple[float, Health]]()
    left = {name: list(given) for name, given in answers.items()}

    async def ask(probe: Probe) -> Outcome:
        name = next(n for n in ("startup", "liveness", "readiness") if getattr(one, f"{n}_probe") is probe)
        return Outcome(left[name].pop(0) if len(left[name]) > 1 else left[name][0])

    prober = Prober(
        one, ask, lambda health: turns.append((anyio.current_time() - began, health)), lambda kind, output: None
    )
    with anyio.move_on_after(seconds):
        await prober.run()
    return turns


async def test_nothing_is_asked_before_the_start_up_probe_succeeds() -> None:
    one: Container = replace(
        container(),
        startup_probe=Probe(period_seconds=5, failure_threshold=10),
        readiness_probe=Probe(period_seconds=1, failure_threshold=3, initial_delay_seconds=100),
    )
    turns = await probed(one, {"startup": [False, False, True], "readiness": [True]}, 60)
    assert [(at, health.started, health.ready) for at, health in turns] == [(10, True, False), (10, True, True)]


async def test_a_start_up_that_never_ends_ends_the_container() -> None:
    one: Container = replace(container(), startup_probe=Probe(period_seconds=5, failure_threshold=3))
    ((at, health),) = await probed(one, {"startup": [False]}, 60)
    assert (at, health.live, health.message) == (10, False, "Container app failed startup probe, will be restarted")


async def test_readiness_comes_and_goes() -> None:
    one: Container = replace(container(), readiness_probe=Probe(period_seconds=10, failure_threshold=2))
    turns = await probed(one, {"readiness": [True, False, False, True]}, 60)
    assert [(at, health.ready) for at, health in turns] == [(0, True), (20, False), (30, True)]


async def test_liveness_waits_for_its_delay() -> None:
    one: Container = replace(
        container(), liveness_probe=Probe(period_seconds=10, failure_threshold=2, initial_delay_seconds=7)
    )
    ((at, health),) = await probed(one, {"liveness": [False]}, 60)
    assert (at, health.live) == (17, False)


@pytest.mark.parametrize(
    ("image", "command"), [("redis:7", ["redis-server"]), ("docker.io/library/redis:7", ["redis-server"]), ("x", [])]
)
def test_images_have_programs(tmp_path: Path, image: str, command: Sequence[str]) -> None:
    file = tmp_path / "images.yaml"
    file.write_text("images: [{image: 'redis:*', command: [redis-server]}, {image: 'redis:7', command: [other]}]")
    assert list(ImagesFile(file).find(image).command) == command


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nothing", 'has no list "images"'),
        ("images: [{}]", r'images\[0\] has no "image"'),
        ("images: [{image: x, entrypoint: y}]", "unknown field 'entrypoint'"),
        ("images: [{image: x, command: y}]", "command and args are lists"),
        ("images: [{image: x, root: 7}]", "root is the path of a folder"),
    ],
)
def test_wrong_images_files_say_why(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "images.yaml").write_text(text)
    with pytest.raises(ImagesFileError, match=why):
        ImagesFile(tmp_path / "images.yaml")


def test_paths_of_mounts_are_led_elsewhere(tmp_path: Path) -> None:
    config = ContainerConfig(
        pod_uid="u",
        name="app",
        attempt=0,
        image="x",
        command=["run", "--file=/etc/app/x.conf", "/etc/application", "/etc/app"],
        env={"DATA": "/data:/etc/app"},
        log_path=tmp_path / "log",
        working_dir="/data/work",
        mounts=[Mount(tmp_path, "/etc/app"), Mount(tmp_path, "/data/")],
    )
    moved = relocate(config, Path("/root-of-it"))
    assert moved.command == ["run", "--file=/root-of-it/etc/app/x.conf", "/etc/application", "/root-of-it/etc/app"]
    assert moved.env == {"DATA": "/root-of-it/data:/root-of-it/etc/app", MOUNT_POINT: "/root-of-it"}
    assert moved.working_dir == "/root-of-it/data/work"


def test_mounts_inside_mounts_are_linked_as_well(tmp_path: Path) -> None:
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(name)
    link_mounts([Mount(tmp_path / "inner", "/a/b"), Mount(tmp_path / "outer", "/a")], tmp_path / "root")
    assert (tmp_path / "root/a/outer.txt").read_text() == "outer"
    assert (tmp_path / "root/a/b/inner.txt").read_text() == "inner"
    assert sorted(path.name for path in (tmp_path / "outer").iterdir()) == ["outer.txt"]


def test_files_change_all_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "cfg"
    assert write_atomically(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o600)})
    assert not write_atomically(folder, {"a": File(b"1"), "sub/b": File(b"2", 0o600)})
    assert (folder / "sub" / "b").stat().st_mode & 0o777 == 0o600
    before = (folder / "..data").resolve()
    assert write_atomically(folder, {"c": File(b"3")})
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("..")) == ["c"]
    assert not before.exists()


@pytest.mark.parametrize(
    ("lines", "rest"), [(0, b""), (1, b"c\n"), (2, b"bb\nc\n"), (3, b"a\nbb\nc\n"), (9, b"a\nbb\nc\n")]
)
def test_the_last_lines_of_a_file(tmp_path: Path, lines: int, rest: bytes) -> None:
    data = b"a\nbb\nc\n"
    (tmp_path / "log").write_bytes(data)
    with (tmp_path / "log").open("rb") as file:
        assert data[_tail_offset(file.fileno(), lines) :] == rest
