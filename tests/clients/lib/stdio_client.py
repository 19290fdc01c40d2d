"""The Python SDK's stdio client: starts argv[3:], lists its tools, calls argv[2], and prints what came as JSON. argv[1] is the mode."""

import asyncio
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(mode, tool, command, *args):
    progress = []

    async def heard(done, total, message):
        progress.append(done)

    # The bridge has this one's environment.
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode) as client:
        tools = await client.list_tools()
        arguments = {"a": 2, "b": 3} if tool == "add" else {}
        result = await client.call_tool(tool, arguments, progress_callback=heard)
        print(
            json.dumps(
                {
                    "version": client.protocol_version,
                    "tools": [found.name for found in tools.tools],
                    "text": result.content[0].text,
                    "progress": progress,
                }
            )
        )


asyncio.run(main(*sys.argv[1:]))
