"""Role based access control: who is granted what by the Roles and bindings in the store.

`index` keeps the grants by subject, `authorizer` asks them, `covering` keeps people from granting what they do not
hold, `bootstrap` is the policy of a new cluster and `reconciling` puts it into the store.
"""

from __future__ import annotations

from kcore.registry.rbac.authorizer import RbacAuthorizer

__all__ = ["RbacAuthorizer"]
