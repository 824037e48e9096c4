"""A TCP proxy that makes a server look far away: ``python -m bench.delay_proxy PORT UPSTREAM_PORT SECONDS``.

Every piece is handed on `SECONDS` after it came, in both directions and in order, so a round trip takes twice that longer.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

HOST = "127.0.0.1"
Piece = tuple[float, bytes]


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    pieces: asyncio.Queue[Piece] = asyncio.Queue()
    deliverer = asyncio.create_task(_deliver(pieces, writer))
    clock = asyncio.get_running_loop()
    try:
        while piece := await reader.read(1 << 18):
            pieces.put_nowait((clock.time() + seconds, piece))
    finally:
        pieces.put_nowait((clock.time() + seconds, b""))
        with suppress(OSError):
            await deliverer


async def _deliver(pieces: asyncio.Queue[Piece], writer: asyncio.StreamWriter) -> None:
    clock = asyncio.get_running_loop()
    while True:
        due, piece = await pieces.get()
        await asyncio.sleep(max(0.0, due - clock.time()))
        if not piece:
            writer.close()
            return
        writer.write(piece)
        await writer.drain()


async def serve(port: int, upstream_port: int, seconds: float) -> None:
    """Listen on `port` and carry every connection to `upstream_port`, `seconds` late each way."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(HOST, upstream_port)
        both = (_carry(reader, upstream_writer, seconds), _carry(upstream_reader, writer, seconds))
        await asyncio.gather(*both, return_exceptions=True)

    server = await asyncio.start_server(connect, HOST, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
