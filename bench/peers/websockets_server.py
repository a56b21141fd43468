"""Python's websockets as a broadcast server, by its own broadcast():
websockets_server.py PAYLOAD_FILE [--deflate]"""

import asyncio
import os
import sys

import websockets

from payload import messages

clients = set()


async def serve_client(socket, path=None):
    clients.add(socket)
    try:
        await socket.wait_closed()
    finally:
        clients.discard(socket)


async def main():
    following = messages(sys.argv[1])

    def on_trigger():
        asked = os.read(0, 64)
        if not asked:
            os._exit(0)
        for _ in asked:
            websockets.broadcast(clients, next(following))

    server = await websockets.serve(
        serve_client,
        "127.0.0.1",
        0,
        backlog=4096,
        ping_interval=None,
        compression="deflate" if "--deflate" in sys.argv else None,
    )
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    asyncio.get_running_loop().add_reader(0, on_trigger)
    await asyncio.Future()


asyncio.run(main())
