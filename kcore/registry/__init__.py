"""What happens to a request between the door and the store.

Strategies, defaulting, validation, admission, patching, subresources and access decisions live here; it may
import `kcore.store`, `kcore.api` and `kcore.kit`. Sockets, headers and status codes on the wire do not belong here.
"""
