"""FastAPI on Uvicorn as a broadcast server, as its documentation shows one: a connection manager
that sends to one client after the other, each with a deadline. fastapi_server.py PAYLOAD_FILE"""

import asyncio
import os
import socket
import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from payload import messages

SEND_TIMEOUT_SECONDS = 1.0

app = FastAPI()
clients = set()
following = messages(sys.argv[1])
publications = asyncio.Queue()


@app.websocket("/")
async def serve_client(websocket: WebSocket):
    await websocket.accept()
    clients.add(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        clients.discard(websocket)


async def broadcast():
    while True:
        await publications.get()
        message = next(following)
        for client in list(clients):
            try:
                await asyncio.wait_for(client.send_text(message), SEND_TIMEOUT_SECONDS)
            except Exception:
                clients.discard(client)


def on_trigger():
    asked = os.read(0, 64)
    if not asked:
        os._exit(0)
    for _ in asked:
        publications.put_nowait(None)


@app.on_event("startup")
async def start():
    loop = asyncio.get_running_loop()
    loop.add_reader(0, on_trigger)
    app.state.broadcast = loop.create_task(broadcast())


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(4096)
print("listening", listener.getsockname()[1], flush=True)
config = uvicorn.Config(app, log_level="error", ws_ping_interval=None, ws_per_message_deflate=False)
asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
