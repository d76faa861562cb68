"""Serves the three APIs on loopback, for trying and testing. See --help."""

import asyncio
import gc
import signal
import sys

from arguments import read_arguments
from fault import BadSpec
from sandbox import Sandbox


async def serve(options):
    sandbox = Sandbox(options)
    server, port = await sandbox.server().listen(*options.listen)
    host = f"[{options.listen[0]}]" if ":" in options.listen[0] else options.listen[0]
    print(f"listening on http://{host}:{port}\nsigning_key={sandbox.fastly.keys.signing_key()}\n"
          f"account={options.account}", flush=True)
    # What is there now stays for good; collecting it again and again would cost milliseconds.
    gc.freeze()
    await _signalled()
    server.close()


async def _signalled():
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


def main():
    options = read_arguments()
    try:
        asyncio.run(serve(options))
    except (OSError, BadSpec) as why:
        sys.exit(f"sandbox: {why}")


if __name__ == "__main__":
    main()
