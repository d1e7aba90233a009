"""Pods as the operator sees them, without pods: an HTTP server on 127.7.x.y:9090 for each report.

`python -m bench.fake_reports`, started by `operator_polling`; reads a JSON object of address to report from standard
input, says `ready`, and serves until it is ended. A report's `time` is that of the answer. It ends with exit code 1
when an address cannot be bound.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mailhaul_contract.names import HTTP_PORT

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def serving(report: dict[str, Any]) -> Serve:
    """Give what answers every request with this report."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            body = json.dumps({**report, "time": time.time()}).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    return serve


async def main() -> None:
    """Serve until the end."""
    reports: dict[str, dict[str, Any]] = json.loads(sys.stdin.readline())
    servers = [await asyncio.start_server(serving(report), address, HTTP_PORT) for address, report in reports.items()]
    sys.stdout.write(f"ready {len(servers)}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except OSError as error:
        sys.exit(f"bench: {error}")
