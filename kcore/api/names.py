"""The syntax of names, labels and ports: each check answers what is wrong, in apimachinery's words, or nothing.

Upstream keeps two families of these checks: the older one counts "characters", the newer one (labels) "bytes".
Both count bytes of UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = [
    "ANNOTATIONS_SIZE_MAX",
    "annotations_size",
    "c_identifier",
    "config_map_key",
    "dns1035_label",
    "dns1123_label",
    "dns1123_subdomain",
    "dns1123_subdomain_with_underscore",
    "env_var_name",
    "group_id",
    "http_header_name",
    "label_key",
    "label_value",
    "path_segment_name",
    "path_segment_prefix",
    "percent",
    "port_name",
    "port_number",
    "prefixed_label_key",
    "relaxed_env_var_name",
    "user_id",
    "wildcard_dns1123_subdomain",
]

ANNOTATIONS_SIZE_MAX = 256 * 1024

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_UNDERSCORED = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED_SUBDOMAIN = rf"{_UNDERSCORED}(\.{_UNDERSCORED})*"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_ENV = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_underscored_subdomain = re.compile(_UNDERSCORED_SUBDOMAIN).fullmatch
_is_wildcard = re.compile(_WILDCARD).fullmatch
_is_dns1035 = re.compile(_DNS1035).fullmatch
_is_key = re.compile(_KEY).fullmatch
_is_value = re.compile(_VALUE).fullmatch
_is_env = re.compile(_ENV).fullmatch
_is_config_key = re.compile(_CONFIG_KEY).fullmatch
_is_header = re.compile(_HEADER).fullmatch
_is_percent = re.compile(_PERCENT).fullmatch
_is_c_identifier = re.compile(_C_IDENTIFIER).fullmatch
_is_port_charset = re.compile("[-a-z0-9]+").fullmatch
_has_letter = re.compile("[a-z]").search


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def _too_long(value: str, limit: int, unit: str = "characters") -> list[str]:
    return [f"must be no more than {limit} {unit}"] if _size(value) > limit else []


def _regex_error(words: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{e}', " for e in examples)
    return f"{words} (e.g. {shown}regex used for validation is '{pattern}')"


def _between(value: int, low: int, high: int) -> list[str]:
    return [] if low <= value <= high else [f"must be between {low} and {high}, inclusive"]


_LABEL_ERROR = _regex_error(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_ERROR = _regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_UNDERSCORED_SUBDOMAIN_ERROR = _regex_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
    "and must start and end with an alphanumeric character",
    _UNDERSCORED_SUBDOMAIN,
    "example.com",
)
_WILDCARD_ERROR = _regex_error(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    _WILDCARD,
    "*.example.com",
)
_DNS1035_ERROR = _regex_error(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    _DNS1035,
    "my-name",
    "abc-123",
)
_KEY_ERROR = _regex_error(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _KEY,
    "MyName",
    "my.name",
    "123-abc",
)
_VALUE_ERROR = _regex_error(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_ENV_ERROR = _regex_error(
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
    "and must not start with a digit",
    _ENV,
    "my.env-name",
    "MY_ENV.NAME",
    "MyEnvName1",
)
_CONFIG_KEY_ERROR = _regex_error(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_C_IDENTIFIER_ERROR = _regex_error(
    "a valid C identifier must start with alphabetic character or '_', "
    "followed by a string of alphanumeric characters or '_'",
    _C_IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)


def dns1123_label(value: str) -> list[str]:
    """A lower-case host name part: namespaces, containers, ports of endpoints."""
    errors = _too_long(value, 63)
    if not _is_label(value):
        errors.append("must not contain dots" if _is_subdomain(value) else _LABEL_ERROR)
    return errors


def dns1123_subdomain(value: str) -> list[str]:
    """A lower-case host name: the names of most objects."""
    fits = _is_subdomain(value)
    if fits and len(value) <= 253:  # as nearly all do, and every object's name is asked
        return []
    errors = _too_long(value, 253)
    if not fits:
        errors.append(_SUBDOMAIN_ERROR)
    return errors


def dns1123_subdomain_with_underscore(value: str) -> list[str]:
    """A host name whose parts may hold `_`: search domains of a pod's DNS configuration."""
    errors = _too_long(value, 253)
    if not _is_underscored_subdomain(value):
        errors.append(_UNDERSCORED_SUBDOMAIN_ERROR)
    return errors


def wildcard_dns1123_subdomain(value: str) -> list[str]:
    """`*.` and a host name: the hosts of an Ingress."""
    errors = _too_long(value, 253)
    if not _is_wildcard(value):
        errors.append(_WILDCARD_ERROR)
    return errors


def dns1035_label(value: str) -> list[str]:
    """A host name part that starts with a letter: the names of services."""
    errors = _too_long(value, 63)
    if not _is_dns1035(value):
        errors.append(_DNS1035_ERROR)
    return errors


def label_key(value: str) -> list[str]:
    """A qualified name: `name` or `example.com/name`. Keys of labels, annotations, taints; resource names."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [
            f"a valid label key {_KEY_ERROR} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    errors = []
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif slash:
        errors += [f"prefix part {e}" for e in _too_long(prefix, 253, "bytes")]
        if not _is_subdomain(prefix):
            errors.append(f"prefix part {_SUBDOMAIN_ERROR}")
    if not name:
        errors.append("name part must be non-empty")
    else:
        errors += [f"name part {e}" for e in _too_long(name, 63, "bytes")]
    if not _is_key(name):
        errors.append(f"name part {_KEY_ERROR}")
    return errors


def prefixed_label_key(value: str) -> list[str]:
    """A qualified name that must have its domain: `example.com/name`."""
    errors = label_key(value)
    if not errors and "/" not in value:
        errors.append("must include a prefix (e.g. 'example.com/key')")
    return errors


def label_value(value: str) -> list[str]:
    errors = _too_long(value, 63, "bytes")
    if not _is_value(value):
        errors.append(_VALUE_ERROR)
    return errors


def annotations_size(annotations: Mapping[str, str]) -> int:
    """Bytes of all keys and values; more than ANNOTATIONS_SIZE_MAX are refused."""
    return sum(_size(k) + _size(v) for k, v in annotations.items())


def path_segment_name(value: str) -> list[str]:
    """A name that can stand in a URL path, the least that every object's name must satisfy (RBAC has no more)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{c}'" for c in "/%" if c in value]


def path_segment_prefix(value: str) -> list[str]:
    """The beginning of such a name, to which a suffix will be added."""
    return [f"may not contain '{c}'" for c in "/%" if c in value]


def port_number(value: int) -> list[str]:
    return _between(value, 1, 65535)


def port_name(value: str) -> list[str]:
    """An IANA service name (RFC 6335), lower case only."""
    errors = _too_long(value, 15)
    if not _is_port_charset(value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _has_letter(value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def user_id(value: int) -> list[str]:
    return _between(value, 0, 2**31 - 1)


def group_id(value: int) -> list[str]:
    return _between(value, 0, 2**31 - 1)


def percent(value: str) -> list[str]:
    if _is_percent(value):
        return []
    words = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_regex_error(words, _PERCENT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    if _is_header(value):
        return []
    words = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return [_regex_error(words, _HEADER, "X-Header-Name")]


def c_identifier(value: str) -> list[str]:
    return [] if _is_c_identifier(value) else [_C_IDENTIFIER_ERROR]


def env_var_name(value: str) -> list[str]:
    errors = [] if _is_env(value) else [_ENV_ERROR]
    return errors + _climbs(value)


def relaxed_env_var_name(value: str) -> list[str]:
    """What environment variables of containers may be called since 1.32: printable ASCII without `=`."""
    if not value:
        return ["environment variable name must be non-empty"]
    if any(c == "=" or not " " <= c <= "~" for c in value):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def config_map_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    errors = _too_long(value, 253)
    if not _is_config_key(value):
        errors.append(_CONFIG_KEY_ERROR)
    return errors + _climbs(value)


def _climbs(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


NameCheck = Callable[[str], list[str]]
