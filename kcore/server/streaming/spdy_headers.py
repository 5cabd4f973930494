"""Header blocks of SPDY/3.1: names and values, deflated with a dictionary, in one context for each direction."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

__all__ = ["DICTIONARY", "HeaderError", "HeaderReader", "HeaderWriter", "Headers"]

Headers = Mapping[str, str]
"""By lower-case name. Several values of one name are one string with NULs between, as on the wire."""

_LENGTH = struct.Struct("!I")
_BLOCK_MAX = 64 * 1024

_WORDS = (
    "options,head,post,put,delete,trace,accept,accept-charset,accept-encoding,accept-language,accept-ranges,age,allow,"
    "authorization,cache-control,connection,content-base,content-encoding,content-language,content-length,"
    "content-location,content-md5,content-range,content-type,date,etag,expect,expires,from,host,if-match,"
    "if-modified-since,if-none-match,if-range,if-unmodified-since,last-modified,location,max-forwards,pragma,"
    "proxy-authenticate,proxy-authorization,range,referer,retry-after,server,te,trailer,transfer-encoding,upgrade,"
    "user-agent,vary,via,warning,www-authenticate,method,get,status,200 OK,version,HTTP/1.1,url,public,set-cookie,"
    "keep-alive,origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 "
    "Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 "
    "Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May "
    "Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,"
    "image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _prefixed(text: bytes) -> bytes:
    return _LENGTH.pack(len(text)) + text


DICTIONARY = b"".join(_prefixed(word.encode()) for word in _WORDS.split(",")) + _TAIL.encode()
"""Section 2.6.10.1 of the specification, byte for byte."""
assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


class HeaderError(Exception):
    """A block that is no header block. The connection is lost with it: the context of all later ones is."""


class HeaderWriter:
    """Deflates the blocks of one direction, in order."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def write(self, headers: Headers) -> bytes:
        parts = [_LENGTH.pack(len(headers))]
        for name, value in headers.items():
            parts += (_prefixed(name.lower().encode()), _prefixed(value.encode()))
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


class HeaderReader:
    """Inflates the blocks of one direction, in order."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def read(self, block: bytes) -> dict[str, str]:
        """Raises HeaderError."""
        try:
            text = self._inflate.decompress(block, _BLOCK_MAX)
        except zlib.error as error:
            raise HeaderError(f"the header block can not be inflated: {error}") from None
        if self._inflate.unconsumed_tail:
            raise HeaderError(f"the header block holds more than {_BLOCK_MAX} bytes")
        return dict(_pairs(text))


def _pairs(text: bytes) -> Iterable[tuple[str, str]]:
    try:
        (count,) = _LENGTH.unpack_from(text)
        at = _LENGTH.size
        for _ in range(count):
            name, at = _string(text, at)
            value, at = _string(text, at)
            yield name.lower(), value
    except (struct.error, UnicodeDecodeError):
        raise HeaderError("the header block is broken") from None
    if at != len(text):
        raise HeaderError("the header block is longer than it says")


def _string(text: bytes, at: int) -> tuple[str, int]:
    (length,) = _LENGTH.unpack_from(text, at)
    start, end = at + _LENGTH.size, at + _LENGTH.size + length
    if end > len(text):
        raise HeaderError("the header block is shorter than it says")
    return text[start:end].decode(), end
