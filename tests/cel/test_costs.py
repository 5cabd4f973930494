"""What expressions cost: a rule that a real server affords must be affordable here, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest

from kcore.cel import RUNTIME_LIMIT, Budget, Environment
from kcore.cel.types import BYTES, DYN, INT, STRING, Field, ObjectType, list_of, map_of

ITEM = ObjectType.named("item", {"k": Field(STRING), "v": Field(STRING), "v2": Field(STRING)})
SELF = ObjectType.named(
    "self",
    {
        "n1": Field(INT),
        "s1": Field(STRING),
        "s2": Field(STRING),
        "b": Field(BYTES),
        "l1": Field(list_of(INT)),
        "l2": Field(list_of(INT)),
        "m1": Field(map_of(STRING, STRING)),
        "m2": Field(map_of(STRING, STRING)),
        "val": Field(map_of(STRING, INT)),
        "items": Field(list_of(ITEM)),
        "objs": Field(list_of(list_of(ITEM))),
        "min": Field(DYN),
        "a": Field(ObjectType.named("a", {"b": Field(INT)})),
    },
)
OBJECT: dict[str, Any] = {
    "n1": 5,
    "s1": "Rook takes 👑",
    "s2": "Rook takes 👑",
    "b": b"AB",
    "l1": [1, 1, 2, 2, 3, 3, 4, 5],
    "l2": [1, 2, 3],
    "m1": {"k1": "a", "k2": "b"},
    "m2": {"k2": "b", "k1": "a"},
    "val": {"b": 1, "d": 2},
    "items": [{"k": "a1", "v": "b1"}, {"k": "a2", "v": "b2"}, {"k": "a3", "v": "b3", "v2": "z"}],
    "objs": [[{"k": "a", "v": "1"}, {"k": "b", "v": "2"}], [], [], [{"k": "c", "v": "4"}]],
    "min": "50%",
    "a": {"b": 1},
}
ENVIRONMENT = Environment({"self": SELF})


@pytest.mark.parametrize(
    ("expression", "cost"),
    [
        ("true", 0),
        ("double(5) < 10.0", 1),
        ("double(self.n1) < 10.0", 4),
        ("self.s1 == self.s2", 6),
        ("self.s1.startsWith('Rook')", 4),
        ("self.s1.matches('^[^0-9]*$')", 8),
        ("type(self.s1) == string", 4),
        ("size(self.s1) == 12", 4),
        ("self.s1.charAt(3) == 'k'", 4),
        ("self.s1.indexOf('o', 2) == 2", 4),
        ("self.s1.replace(' ', 'x') == 'Rookxtakesx👑'", 7),
        ("self.s1.split(' ') == ['Rook', 'takes', '👑']", 6),
        ("self.s1.substring(4, 10).trim() == 'takes'", 6),
        ("self.s1.upperAscii() == 'ROOK TAKES 👑'", 6),
        ("self.b == b'AB'", 3),
        ("self.s1 in ['Pending', 'Available']", 2),
        ("string(self.n1) == self.s1", 6),
        ("self.l2 == [1, 2, 3]", 3),
        ("1 in self.l2", 5),
        ("self.l2[0] in self.l2", 8),
        ("self.l2 + [4, 5] == [1, 2, 3, 4, 5]", 4),
        ("self.objs[0] == [self.objs[0][0], self.objs[0][1]]", 22),
        ("size(self.objs[0] + [self.objs[3][0]]) == 3", 20),
        ("self.m1 == self.m2", 5),
        ("'k1' in self.m1", 3),
        ("has(self.a.b)", 2),
        ("!has(self.val.a)", 3),
        ("self.val.all(k, self.val[k] > 0)", 17),
        ("self.val.exists_one(k, self.val[k] == 2)", 14),
        ("size(self.val.filter(k, self.val[k] > 1)) == 1", 26),
        ("self.items.all(m, m.k.startsWith('a'))", 21),
        ("self.items.all(m, !has(m.v2) || m.v2 == 'z')", 21),
        ("self.items.exists(m, m.k.endsWith('1'))", 13),
        ("self.items.exists_one(m, m.k == 'a3')", 15),
        ("!self.items.exists(m, m.v == 'x')", 25),
        ("self.items.exists(m, m.k == 'a1' && m.v == 'b1')", 16),
        ("self.items.map(m, m.v).exists(v, v == 'b1')", 55),
        ("self.items.exists(m, has(m.v2) && m.v2 == 'z')", 21),
        ("!self.items.all(m, has(m.v2) && m.v2 != 'z')", 10),
        ("self.items.exists(m, m.v2 == 'z')", 24),
        ("!self.items.all(m, m.v2 != 'z')", 22),
        ("self.items.map(m, has(m.v2) && m.v2 == 'z', m.v2).size() == 1", 25),
        ("self.items.filter(m, has(m.v2) && m.v2 == 'z').map(m, m.v2).size() == 1", 39),
        ("2 in self.l1", 10),
        ("self.l1.all(e, e > 0)", 43),
        ("self.l1.exists(e, e > 2)", 36),
        ("self.l1.exists_one(e, e > 4)", 22),
        ("!self.l1.all(e, e < 2)", 21),
        ("size(self.l1.filter(e, e%2 == 0)) == 3", 68),
        ("self.l1.map(e, e * 20).filter(e, e > 50).exists(e, e == 60)", 194),
        ("type(self.min) == int ? self.min == 1 : self.min == '50%'", 7),
        (r"type(self.min) == string && self.min.matches(r'(\d+(\.\d+)?%)')", 10),
        ("self.min != ['anything']", 3),
        (
            "type(self.min) == int ? self.n1 <= self.min : "
            "double(self.n1) / double(self.n1) >= double(self.min.replace('%', '')) / 100.0",
            17,
        ),
        ("type(self) == type(self)", 5),
        ("self.m1['k1'] == 'a'", 4),
        ("isQuantity('10')", 1),
    ],
)
def test_expressions_cost_what_they_cost_upstream(expression: str, cost: int) -> None:
    budget = Budget(RUNTIME_LIMIT)
    ENVIRONMENT.compile(expression).evaluate({"self": OBJECT}, budget)
    assert RUNTIME_LIMIT - budget.remaining == cost
