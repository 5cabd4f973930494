"""CEL, the language of validation rules and admission policies: parser, type checker, compiler to closures, prices.

It knows nothing of requests, schemas or stores, and may import only `api` (quantities, names, formats) and `kit`; what
objects look like and what follows from a result is its callers' affair.

    environment = Environment({"object": DYN, "limit": INT})   # variables and their types; make it once
    program = environment.compile("object.spec.replicas <= limit")  # CompileError carries cel-go's whole message
    program.result                                             # BOOL: callers check that a rule is one
    budget = Budget(RUNTIME_LIMIT)                             # optional: shared by a series of evaluations
    program.evaluate({"object": tree, "limit": 5}, budget)     # a value, or EvaluationError ("no such key: spec")

Values are JSON trees as they stand (`values`). Any mapping serves as an object, so fields may be worked out when they
are asked for: a `collections.abc.Mapping` is how `variables.x` of a policy is done; it may raise EvaluationError.
One evaluation may cost CALL_LIMIT (`CostExceeded`); all that it cost is taken off the budget, which is used up below
zero. Objects with declared fields are `ObjectType`s, which `find_type` may also find by name for
literals such as `Object{spec: Object.spec{...}}`; `construct` makes their values. What to bind to `authorizer` is told
in `libraries.authorizer`.
"""

from kcore.cel.cost import CALL_LIMIT, RUNTIME_LIMIT, Budget
from kcore.cel.environment import Checked, Environment
from kcore.cel.errors import CelError, CompileError, CostExceeded, EvaluationError, PlanError
from kcore.cel.program import Program

__all__ = [
    "CALL_LIMIT",
    "RUNTIME_LIMIT",
    "Budget",
    "CelError",
    "Checked",
    "CompileError",
    "CostExceeded",
    "Environment",
    "EvaluationError",
    "PlanError",
    "Program",
]
