"""The server: UDP and TCP on one port, dnspython for the packets.

What is not of the cluster is refused, so that resolvers ask elsewhere, or passed on where `upstream` names a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import anyio
import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import structlog
from anyio.abc import TaskGroup, TaskStatus

from kcore.dns.directory import InformedDirectory
from kcore.dns.zone import Outcome, Record, Zone

__all__ = ["DnsServer"]

log = structlog.get_logger(__name__)

TTL_SECONDS = 30
UDP_BYTES = 512
"""What an answer may hold for clients that do not say more (EDNS)."""
UDP_BYTES_MAX = 1232
TCP_IDLE_SECONDS = 10.0
UPSTREAM_SECONDS = 3.0


class DnsServer:
    """A service. `address` is usually the tenth of the service range; port 0 takes a free one."""

    def __init__(
        self, directory: InformedDirectory, domain: str, address: str, port: int = 53, *, upstream: str = ""
    ) -> None:
        self.address = address
        self.port = port
        self._directory = directory
        self._zone = Zone(domain, directory)
        self._upstream = upstream
        self._tasks: TaskGroup | None = None
        self._streams: set[asyncio.StreamWriter] = set()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Answer until cancelled. Where the address can not be had, says so and answers nobody: a cluster works
        without DNS, too."""
        await self._directory.wait_synced()
        loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as self._tasks:
            try:
                listener = await asyncio.start_server(self._serve_stream, self.address, self.port)
                self.port = listener.sockets[0].getsockname()[1]
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self._begin), (self.address, self.port)
                )
            except OSError as error:
                log.warning("dns_not_served", address=self.address, port=self.port, reason=error.strerror or str(error))
                task_status.started()
                return
            task_status.started()
            try:
                await anyio.sleep_forever()
            finally:
                transport.close()
                listener.close()
                for stream in self._streams:
                    stream.close()

    def _begin(self, packet: bytes, reply: Callable[[bytes], None]) -> None:
        """Answer a UDP packet: at once, or when the upstream server has."""
        query = _parse(packet)
        if query is None:
            return
        if self._goes_upstream(query):
            assert self._tasks is not None
            self._tasks.start_soon(self._forward, query, packet, reply)
            return
        room = min(max(query.payload, UDP_BYTES), UDP_BYTES_MAX)
        reply(_wire(self.respond(query), room))

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: questions behind one another, each after its length."""
        self._streams.add(writer)
        try:
            while True:
                with anyio.fail_after(TCP_IDLE_SECONDS):
                    length = int.from_bytes(await reader.readexactly(2))
                    packet = await reader.readexactly(length)
                query = _parse(packet)
                if query is None:
                    return
                answers: list[bytes] = []
                if self._goes_upstream(query):
                    await self._forward(query, packet, answers.append)
                else:
                    answers.append(_wire(self.respond(query), 65535))
                for answer in answers:
                    writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            return
        finally:
            self._streams.discard(writer)
            writer.close()

    def respond(self, query: dns.message.Message) -> dns.message.Message:
        """The whole answer to a query."""
        response = dns.message.make_response(query, recursion_available=bool(self._upstream))
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP if len(query.question) == 1 else dns.rcode.FORMERR)
            return response
        [question] = query.question
        answer = self._zone.answer(question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype))
        if answer.outcome is Outcome.FOREIGN:
            response.set_rcode(dns.rcode.REFUSED)
            return response
        response.flags |= dns.flags.AA
        for record in answer.records:
            _add(response.answer, record)
        for record in answer.extra:
            _add(response.additional, record)
        if not answer.records:
            _add(response.authority, self._start_of_authority())
        if answer.outcome is Outcome.UNKNOWN:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response

    def _start_of_authority(self) -> Record:
        domain = f"{self._zone.domain}."
        return Record(domain, "SOA", f"ns.dns.{domain} hostmaster.{domain} 1 7200 1800 86400 {TTL_SECONDS}")

    def _goes_upstream(self, query: dns.message.Message) -> bool:
        if not self._upstream or len(query.question) != 1:
            return False
        name = query.question[0].name.to_text(omit_final_dot=True)
        return self._zone.answer(name, "A").outcome is Outcome.FOREIGN

    async def _forward(self, query: dns.message.Message, packet: bytes, reply: Callable[[bytes], None]) -> None:
        """Ask the upstream server over UDP; SERVFAIL where it does not answer in time."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[bytes] = loop.create_future()
        host, _, port = self._upstream.partition("#")
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Upstream(query.id, answered), remote_addr=(host, int(port or 53))
            )
            try:
                transport.sendto(packet)
                with anyio.fail_after(UPSTREAM_SECONDS):
                    reply(await answered)
            finally:
                transport.close()
        except (OSError, TimeoutError) as error:
            log.info("dns_upstream_silent", upstream=self._upstream, reason=str(error) or "timeout")
            response = dns.message.make_response(query, recursion_available=True)
            response.set_rcode(dns.rcode.SERVFAIL)
            reply(response.to_wire())


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, begin: Callable[[bytes, Callable[[bytes], None]], None]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._begin(data, lambda answer: self._transport.sendto(answer, addr))


class _Upstream(asyncio.DatagramProtocol):
    def __init__(self, number: int, answered: asyncio.Future[bytes]) -> None:
        self._number = number
        self._answered = answered

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if int.from_bytes(data[:2]) == self._number and not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(OSError(str(exc)))


def _parse(packet: bytes) -> dns.message.Message | None:
    """None for what is no query, and gets no answer: whoever sends noise may have borrowed the address."""
    try:
        message = dns.message.from_wire(packet)
    except (dns.exception.DNSException, ValueError):
        return None
    return None if message.flags & dns.flags.QR else message


def _wire(response: dns.message.Message, room: int) -> bytes:
    """The packet, cut down and marked as such where it does not fit."""
    try:
        return response.to_wire(max_size=room)
    except dns.exception.TooBig:
        response.answer, response.additional, response.authority = [], [], []
        response.flags |= dns.flags.TC
        return response.to_wire(max_size=room)


def _add(section: list[dns.rrset.RRset], record: Record) -> None:
    """Records of one name and type stand together."""
    fresh = dns.rrset.from_text(record.name, TTL_SECONDS, "IN", record.type, record.data)
    for known in section:
        if (known.name, known.rdtype) == (fresh.name, fresh.rdtype):
            known.add(fresh[0])
            return
    section.append(fresh)
