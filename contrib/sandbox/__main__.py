"""Serves the four APIs on loopback, for trying and testing. See --help."""

import asyncio
import gc
import signal
import sys

from arguments import read_arguments
from sandbox import Sandbox


async def serve(options):
    sandbox = Sandbox(options)
    server, port = await sandbox.server().listen(*options.listen)
    host = f"[{options.listen[0]}]" if ":" in options.listen[0] else options.listen[0]
    print(f"listening on http://{host}:{port}\nsigning_key={sandbox.fastly.keys.signing_key()}\n"
          f"account={options.account}", flush=True)
    # What is there now stays for good; collecting it again and again would cost milliseconds.
    gc.freeze()
    await _ended(options.until_eof)
    server.close()


async def _ended(until_eof):
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if until_eof:
        loop.add_reader(sys.stdin, lambda: sys.stdin.buffer.raw.read(4096) or ended.set())
    await ended.wait()


def main():
    options = read_arguments()
    try:
        asyncio.run(serve(options))
    except OSError as why:
        sys.exit(f"sandbox: {why}")


if __name__ == "__main__":
    main()
