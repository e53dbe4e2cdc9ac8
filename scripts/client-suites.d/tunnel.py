"""tunnel.py URL CA CERT KEY: a port without TLS that leads to one with it. Prints its own URL.

For suites that cannot speak TLS with a client's certificate. Serves loopback only, until it is killed.
"""

import asyncio
import ssl
import sys
import urllib.parse


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main(url, ca, cert, key):
    target = urllib.parse.urlparse(url)
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(cert, key)

    async def serve(reader, writer):
        # HTTP/1 is offered too: some suites read /metrics.
        first = await reader.read(65536)
        context.set_alpn_protocols(["h2"] if first.startswith(b"PRI ") else ["http/1.1"])
        try:
            remote = await asyncio.open_connection(target.hostname, target.port, ssl=context)
        except OSError:
            writer.close()
            return
        remote[1].write(first)
        await asyncio.gather(pump(reader, remote[1]), pump(remote[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
