"""What expressions come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest

from kcore.cel import CALL_LIMIT, Budget, CostExceeded, Environment, EvaluationError, PlanError
from kcore.cel.types import DYN, Field, ObjectType
from kcore.cel.values import Duration, Timestamp, UInt
from tests.cel.evaluating import ENVIRONMENT, evaluate, failure

THING = {
    "name": "web",
    "count": 3,
    "ports": [80, 443],
    "labels": {"a": "b"},
    "any": {"deep": [1, "x"]},
    "a-b": "dashed",
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # arithmetic
        ("1 + 2 * 3 - 4", 3),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("-9223372036854775808", -(2**63)),
        ("1u + 2u", UInt(3)),
        ("0x10 + 1", 17),
        ("1.5 + 1e3", 1001.5),
        ("1.0 / 0.0 > 1e308", True),
        ("'a' + 'b'", "ab"),
        ("b'a' + b'\\x00\\377'", b"a\x00\xff"),
        ("[1] + [2, 3]", [1, 2, 3]),
        # comparison across number types, equality of what is dyn
        ("1 < 1.5 && 2u > 1 && 1.0 <= 1u", True),
        ("dyn(1) == 1.0 && dyn(1u) == 1 && dyn(1) != '1'", True),
        ("dyn(true) == 1", False),
        ("[1, 2] == [1, 2] && {'a': [1]} == {'a': [1]} && [1] != [2]", True),
        ("dyn([1]) == [1.0]", True),
        ("'a' < 'b' && b'a' < b'b' && false < true", True),
        # logic
        ("true || 1 / 0 > 0", True),
        ("1 / 0 > 0 || true", True),
        ("false && 1 / 0 > 0", False),
        ("1 / 0 > 0 && false", False),
        ("!(true ? false : 1 / 0 > 0)", True),
        # text
        (r"'\u00e9\x41\101\n' == r'x' ? 1 : 2", 2),
        ("'''a\n'b'''", "a\n'b"),
        ("'日本語'.size()", 3),
        ("b'日本'.size()", 6),
        ("'hello'.charAt(4) + 'hello'.charAt(5)", "o"),
        ("'hello'.indexOf('l') + 'hello'.lastIndexOf('l') * 10 + 'hello'.indexOf('z')", 31),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("['a', 'b'].join('-') + ['c'].join()", "a-bc"),
        ("'aXbX'.replace('X', '', 1)", "abX"),
        ("' \u2003x\t'.trim()", "x"),
        ("'TacoCat'.lowerAscii() + 'É'.lowerAscii()", "tacocatÉ"),
        ("'hello'.substring(1, 3) + 'hello'.substring(4)", "elo"),
        ("'%s %d %.2f %x %b %o %e'.format([dyn('a'), 3, 2.5, 255, 5, 8, 1234.5])", "a 3 2.50 ff 101 10 1.234500e+03"),
        ("'%s'.format([{'b': [dyn(1), 2.0], 'a': dyn(true)}])", "{a: true, b: [1, 2]}"),
        ("strings.quote('a\"b\\n')", '"a\\"b\\n"'),
        ("'abc123'.matches('^[a-z]+[0-9]{3}$')", True),
        # conversions
        ("int('42') + int(3.9) + int(2u)", 47),
        ("double('1.5')", 1.5),
        ("string(1.0) + string(1e21) + string(1.5e-7) + string(true) + string(b'x')", "11e+211.5e-07truex"),
        ("type([]) == list && type({}) == map && type(type(1)) == type", True),
        ("bool('true') && !bool('f')", True),
        # time
        ("duration('1h30m') + duration('1.5s')", Duration(5401_500_000_000)),
        ("string(duration('-1.5h'))", "-5400s"),
        ("timestamp('2024-02-29T12:00:00+01:00') - timestamp('2024-02-29T10:00:00Z')", Duration(3600 * 10**9)),
        ("timestamp('1970-01-01T00:00:01.5Z')", Timestamp(1_500_000_000)),
        ("string(timestamp('2024-02-29T12:00:00.120Z') + duration('24h'))", "2024-03-01T12:00:00.12Z"),
        ("timestamp('2024-02-29T23:30:00Z').getDate('+01:00')", 1),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfWeek()", 4),
        ("duration('90m').getHours() + duration('90m').getMinutes()", 91),
        # containers
        ("2 in [1, 2] && 'a' in {'a': 1} && !(3 in l)", True),
        ("[1, 2][1] + {'a': 5}['a']", 7),
        ("size(l) + m.size()", 3),
        # macros
        ("l.all(i, i > 0) && l.exists(i, i == 2) && l.exists_one(i, i == 2)", True),
        ("l.map(i, i * i)", [1, 4]),
        ("l.map(i, i > 1, i * i)", [4]),
        ("l.filter(i, i > 1)", [2]),
        ("m.all(k, k == 'k')", True),
        ("l.all(i, v, i + 1 == v) && m.exists(k, v, k == 'k' && v == 9)", True),
        ("l.transformList(i, v, v > 1, i)", [1]),
        ("m.transformMap(k, v, v + 1)", {"k": 10}),
        ("l.transformMapEntry(i, v, {string(v): i})", {"1": 0, "2": 1}),
        ("l.exists(i, i / 0 > 1 || i == 2)", True),
        ("cel.bind(a, n + 1, a * a)", 36),
        ("cel.bind(a, 1 / 0, true)", True),
        ("l.map(i, l.map(j, i * j))", [[1, 2], [2, 4]]),
        # optionals
        ("optional.of(1).value() + optional.none().orValue(2)", 3),
        ("optional.none().or(optional.of(1)).hasValue()", True),
        ("self.?any.?deep[?1].orValue('z')", "x"),
        ("x.?gone.?deeper.hasValue()", False),
        ("m[?'k'].optMap(v, v + 1).value()", 10),
        ("optional.of(1).optFlatMap(v, optional.none()).hasValue()", False),
        ("[?m[?'k'], ?m[?'z']]", [9]),
        ("{?'a': m[?'k'], ?'b': m[?'z']}", {"a": 9}),
        ("optional.ofNonZeroValue('').hasValue()", False),
        # objects
        ("self.name + self.a__dash__b + self.labels.a", "webdashedb"),
        ("has(self.name) && !has(x.gone) && has(self.labels.a)", True),
        ("self.any.deep[0]", 1),
        ("self.`name`", "web"),
    ],
)  # fmt: skip
def test_expressions_come_to_what_the_language_says(expression: str, value: Any) -> None:
    found = evaluate(expression, self=THING, x={"a": 1}, n=5, s="text", l=[1, 2], m={"k": 9})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('1.0') == quantity('1')", True),
        ("quantity('1500m').isInteger() || quantity('2k').asInteger() != 2000", False),
        ("quantity('50k').add(quantity('1')).sub(1).compareTo(quantity('50k')) + quantity('-1').sign()", -1),
        ("isQuantity('1Gb')", False),
        ("url('https://u@example.com:8080/a%20b/c?x=1&x=2&y=').getHost()", "example.com:8080"),
        ("url('https://[::1]:80/').getHostname() + url('https://[::1]:80/').getPort()", "::180"),
        ("url('https://h/p?x=1&x=2').getQuery()", {"x": ["1", "2"]}),
        ("url('/a b').getEscapedPath()", "/a%20b"),
        ("isURL('../x') || isURL('::')", False),
        ("ip('::1').isLoopback() && ip('::1').family() == 6 && string(ip('2001:DB8::1')) == '2001:db8::1'", True),
        ("isIP('1.2.3') || isIP('::ffff:1.2.3.4') || isIP('fe80::1%eth0')", False),
        ("ip.isCanonical('2001:DB8::1')", False),
        ("cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.1.2.3/8').prefixLength() == 8", True),
        ("cidr('10.0.0.0/8').containsIP(ip('10.9.9.9')) && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", True),
        ("cidr('10.0.0.0/16').containsCIDR('10.0.0.0/8')", False),
        ("semver('1.2.3-rc.2').isLessThan(semver('1.2.3-rc.10')) && semver('1.0.0').major() == 1", True),
        ("isSemver('v1.2') || !isSemver('v1.2', true)", False),
        ("'a1b22'.find('[0-9]+') + 'a1b22'.findAll('[0-9]+').join('+') + 'x'.find('y')", "11+22"),
        ("'a1b22'.findAll('[a-z]', 1)", ["a"]),
        ("[1, 2].sum() + [3, 1].min() + [3, 1].max() + [1, 2, 1].lastIndexOf(1)", 9),
        ("[1, 1, 2].isSorted() && !['b', 'a'].isSorted()", True),
        ("[].sum() == 0", True),
        ("sets.contains([1, 2], [2]) && sets.equivalent([1, 2, 2], [2, 1]) && !sets.intersects([1], [2])", True),
        ("format.named('dns1123Label').value().validate('ok').hasValue()", False),
        ("format.uuid().validate('x').value()", ["does not match the UUID format"]),
        ("[3, 1, 2].sort() + [1, 1].distinct() + [1, 2].reverse() + lists.range(2)", [1, 2, 3, 1, 2, 1, 0, 1]),
        ("[[1], [2, 3]].flatten().slice(1, 3)", [2, 3]),
        ("[1, 2].first().value() + [1, 2].last().value()", 3),
        ("jsonpatch.escapeKey('a/b~c')", "a~1b~0c"),
    ],
)  # fmt: skip
def test_the_libraries_of_kubernetes_are_there(expression: str, value: Any) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("n + 9223372036854775807", "integer overflow"),
        ("-n - 9223372036854775807", "integer overflow"),
        ("1u - 2u", "unsigned integer overflow"),
        ("n / 0", "division by zero"),
        ("n % 0", "modulus by zero"),
        ("m['z']", "no such key: z"),
        ("x.z", "no such key: z"),
        ("l[5]", "index out of bounds: 5"),
        ("x.a + 'b'", "no such overload"),
        ("x.a && true", "no such overload"),
        ("x.all(i, i)", "no such overload"),
        ("optional.none().value()", "optional.none() dereference"),
        ("x[0] == [1][dyn('a')]", "no such key: 0"),
        ("[1][dyn('a')] == 1", "unsupported index type 'string' in list"),
        ("[1][dyn(0.5)] == 1", "unsupported index value 0.5 in list"),
        ("dyn(n).all(i, true)", "got 'types.Int', expected iterable type"),
        ("dyn(s).exists(i, v, true)", "got 'types.String', expected iterable type"),
        ("dyn(n).startsWith(s)", "no such overload: startsWith(int, string)"),
        ("size(dyn(n))", "no such overload: size"),
        ("dyn(true) + x.a", "no such overload: _+_"),
        ("dyn(s) - 1", "no such overload"),
        ("int('x' + s)", "type conversion error from 'string' to 'int'"),
        ("uint('-' + s)", "type conversion error from 'string' to 'uint'"),
        ("double('x' + s)", "type conversion error from 'string' to 'double'"),
        ("bool('x' + s)", "type conversion error from 'string' to 'bool'"),
        ("timestamp('x' + s)", "type conversion error from 'string' to 'google.protobuf.Timestamp'"),
        ("duration('x' + s)", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("duration(string(n) + '000000h')", "type conversion error from 'string' to 'google.protobuf.Duration'"),
        ("timestamp('2020-01-01T00:00:00Z').getHours('Nowhere/' + s)", "unknown time zone Nowhere/("),
        ("int(double(n) + 1e30)", "integer overflow"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("'abc'.matches(s)", "error parsing regexp: missing closing ): `(`"),
        ("[].min()", "min called on empty list"),
        ("{'a': 1, s: 2, s: 3}", "insert failed: key ( already exists"),
        ("lists.range(1000000)", "lists.range: 1000000 is more than 100000"),
        ("quantity('1i')", "unable to parse quantity's suffix"),
    ],
)  # fmt: skip
def test_what_has_no_value_says_why(expression: str, why: str) -> None:
    assert failure(expression, n=5, s="(", l=[1], m={}, x={"a": 1}) == why


def test_null_in_an_object_counts_as_absent_but_not_in_a_map() -> None:
    assert evaluate("!has(self.count)", self={"count": None})
    assert failure("self.count + 1", self={"count": None}) == "no such key: count"
    assert evaluate("m['a'] == dyn(null)", m={"a": None})


def test_a_variable_that_is_not_bound_is_missed_when_it_is_used() -> None:
    assert failure("n > 1 || s == ''", n=2) == "no such attribute(s): s"


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("int('x') == n", "type conversion error from 'string' to 'int'"),
        ("true || bool('10.0.0.0/8')", "type conversion error from 'string' to 'bool'"),
        ("int(1e30) == n", "integer overflow"),
        ("uint(-1) == 1u", "unsigned integer overflow"),
    ],
)
def test_literal_that_cannot_be_converted_is_found_before_anything_runs(expression: str, why: str) -> None:
    checked = ENVIRONMENT.check(expression)
    with pytest.raises(PlanError) as refused:
        checked.program()
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("l.sortBy(i, -i)", [3, 2, 1]),
        ("[{'n': 2, 'm': 5}, {'n': 1, 'm': 7}].sortBy(e, e.n).map(e, e.m)", [7, 5]),
        ("['b', 'a', 'b'].distinct().sortBy(t, t)", ["a", "b"]),
        ("[].sortBy(i, 'x')", []),
    ],
)
def test_lists_are_sorted_by_what_is_made_of_their_elements(expression: str, value: Any) -> None:
    assert evaluate(expression, l=[3, 1, 2]) == value


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*)*b", "a" * 500 + "?" * 1])
def test_no_pattern_holds_up_the_process(pattern: str) -> None:
    assert ENVIRONMENT.compile("s.matches(x)").evaluate({"s": "a" * 10_000 + "!", "x": pattern}) in (True, False)


def test_a_pattern_too_large_for_its_text_is_refused() -> None:
    text = "abcd" * 500_000
    assert failure("s.matches('(a?b?c?d?){200}z')", s=text).startswith("error matching regexp: text too long")


def test_evaluation_stops_when_it_has_cost_enough() -> None:
    budget = Budget(10 * CALL_LIMIT)
    program = ENVIRONMENT.compile("l.all(a, l.all(b, l.all(c, a + b + c >= 0)))")
    with pytest.raises(CostExceeded, match="actual cost limit exceeded"):
        program.evaluate({"l": list(range(500))}, budget)
    assert CALL_LIMIT < 10 * CALL_LIMIT - budget.remaining < CALL_LIMIT + 1000


def test_nothing_absorbs_what_costs_too_much() -> None:
    with pytest.raises(CostExceeded):
        evaluate("l.all(a, l.all(b, l.all(c, false || a + b + c >= 0))) || true", l=list(range(500)))
    with pytest.raises(CostExceeded):
        evaluate("l.exists(a, l.all(b, l.all(c, a + b + c >= 0)) && false)", l=list(range(2000)))


@pytest.mark.parametrize(
    ("start", "step"),
    [
        ("l", "@ + @"),
        ("s", "@ + @"),
        ("s", "'%s%s'.format([@, @])"),
        ("s", "@.replace('a', 'aaaaaaaaaaaaaaaa')"),
        ("s", "[@, @].join()"),
        ("s", "strings.quote(@ + @)"),
        ("[1]", "@ + @.map(i, i)"),
    ],
)
def test_no_value_grows_without_end(start: str, step: str) -> None:
    said = failure(doubled(start, step) + " == dyn(1)", l=[1], s="a")
    assert "longer than" in said or "cost limit" in said


@pytest.mark.parametrize(
    "question",
    [
        "# == $",
        "# in [$]",
        "[#].indexOf($) == 0",
        "sets.contains([#], [$])",
        "'%s'.format([#]) == ''",
        "[#, $].distinct() == []",
    ],
)
def test_lists_within_lists_are_not_gone_through_again_and_again(question: str) -> None:
    one, other = doubled("dyn([1])", "dyn([@, @])"), doubled("dyn([1])", "dyn([@, @])")
    program = ENVIRONMENT.compile(question.replace("#", f"({one})").replace("$", f"({other})"))
    with suppress(EvaluationError):
        program.evaluate({})


def doubled(start: str, step: str, times: int = 60) -> str:
    """`step` of `start`, and of what that gives, and so on."""
    opening = "".join(f"cel.bind(v{i + 1}, {step.replace('@', f'v{i}')}, " for i in range(times))
    return f"cel.bind(v0, {start}, {opening}v{times}{')' * (times + 1)}"


def test_data_of_any_depth_ends_in_an_answer() -> None:
    deep: Any = []
    other: Any = []
    for _ in range(20_000):
        deep, other = [deep], [other]
    program = Environment({"a": DYN, "b": DYN}).compile("a == b")
    with pytest.raises(EvaluationError, match="recursion limit"):
        program.evaluate({"a": deep, "b": other})


def test_fields_may_be_worked_out_when_asked_for() -> None:
    class Lazy(Mapping[str, Any]):
        asked: tuple[str, ...] = ()

        def __getitem__(self, key: str) -> Any:
            self.asked += (key,)
            if key == "bad":
                raise EvaluationError('composited variable "bad" fails to evaluate')
            return {"good": 5}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(("good", "bad"))

        def __len__(self) -> int:
            return 2

    variables = Lazy()
    kind = ObjectType.named("variables", {"good": Field(DYN), "bad": Field(DYN)})
    environment = Environment({"variables": kind})
    assert environment.compile("variables.good == 5 || variables.bad").evaluate({"variables": variables})
    assert variables.asked == ("good",)
    with pytest.raises(EvaluationError, match="composited"):
        environment.compile("variables.bad").evaluate({"variables": variables})


def test_types_found_by_name_can_be_constructed() -> None:
    spec = ObjectType.named("Object.spec", {"replicas": Field(DYN)})
    types = {"Object.spec": spec, "Object": ObjectType.named("Object", {"spec": Field(spec)})}
    environment = Environment({"object": DYN}, types.get)
    program = environment.compile("Object{spec: Object.spec{?replicas: object[?'n']}}")
    assert program.evaluate({"object": {"n": 2}}) == {"spec": {"replicas": 2}}
    assert program.evaluate({"object": {}}) == {"spec": {}}
    assert program.result is types["Object"]
