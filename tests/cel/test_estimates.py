"""What expressions may cost at worst, for inputs whose sizes are known."""

from __future__ import annotations

import pytest

from kcore.cel import Environment
from kcore.cel.estimate import UNBOUNDED, estimate
from kcore.cel.types import INT, STRING, Field, ObjectType, list_of, map_of

SELF = ObjectType.named(
    "self",
    {
        "n": Field(INT),
        "text": Field(STRING),
        "texts": Field(list_of(STRING)),
        "numbers": Field(list_of(INT)),
        "map": Field(map_of(STRING, STRING)),
        "free": Field(STRING),
    },
)
SIZES = {
    ("n",): 0,
    ("text",): 100,
    ("texts",): 10,
    ("texts", "@items"): 20,
    ("numbers",): 10,
    ("numbers", "@items"): 0,
    ("map",): 5,
    ("map", "@keys"): 0,
    ("map", "@values"): 30,
}
ENVIRONMENT = Environment({"self": SELF})


def most(expression: str) -> int:
    checked = ENVIRONMENT.check(expression)
    return estimate(checked.node, lambda path: SIZES.get(path[1:]) if path[0] == "self" else None).most


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        ("true", 0),
        ("self.n > 1", 3),
        ("has(self.n)", 1),
        ("self.text == 'abc'", 2 + 1),
        ("self.text == self.text", 4 + 10),
        ("self.text.contains('0123456789x')", 2 + 10 * 2),
        ("self.text.matches('^[a-z]+$')", 2 + 11 * 2),
        ("self.text.startsWith('abc')", 2 + 1),
        ("self.free.contains(self.free)", UNBOUNDED),
        ("'a' in self.texts", 2 + 10),
        ("self.numbers.all(e, e > 0)", 2 + 10 * (2 + 1 + 2) + 1),
        ("self.numbers.exists(e, e > 0)", 2 + 10 * (3 + 1 + 2) + 1),
        ("self.numbers.exists_one(e, e > 0)", 2 + 10 * (2 + 2) + 2),
        ("self.numbers.map(e, e + 1)", 2 + 10 + 10 * (2 + 10 + 2) + 1),
        ("self.numbers.filter(e, e > 0)", 2 + 10 + 10 * (2 + 13) + 1),
        ("self.texts.all(t, t.contains('x'))", 2 + 10 * (2 + 1 + 1 + 2) + 1),
        ("self.map.all(k, self.map[k] == 'abc')", 2 + 5 * (2 + 1 + (2 + 1 + 1) + 1) + 1),
        ("self.numbers.sum() == 1 || true", 2 + 10 + 1),
        ("self.n > 1 ? self.text == self.text : true", 3 + 14),
        ("self.text + self.text == self.text", 4 + 20 + 2 + 10),
        ("self.texts.join(',').contains('x')", 2 + 21 + 21),
        ("self.text.replace('ab', 'abcd').size() > 0", 2 + 20 + 1 + 1),
        ("self.text.split(',').all(p, p == 'x')", 2 + 20 + 100 * (2 + 1 + 1 + 1) + 1),
        ("cel.bind(t, self.text, t == t)", 10 + 2 + 2 + 10),
        ("isURL(self.text) && url(self.text).getHost() != ''", 3 + 2 + 10 + 1 + 0),
        ("quantity('1').isLessThan(quantity('2'))", 3),
    ],
)
def test_estimates_are_those_of_upstream(expression: str, cost: int) -> None:
    assert most(expression) == cost
