#!/usr/bin/env python3
"""Instructions of one tools/call on a board's processor, counted by qemu-user and held to tests/bench/budgets.toml.

    instructions.py MACHINE QEMU BINARY

MACHINE is one of those budgets: qemu's name of a processor, unless it names another. Where the budget has bytes of idle streams, this machine runs
the program itself, and those are held as well.

QEMU translates one instruction at a time and logs each block that it runs: as many lines as instructions, of user space
alone, whatever else this machine is doing.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"
sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCH))
from bench import Mcp, Perchd, stream_bytes

ROUNDS = 5
CALLS = 10


class Count:
    """The lines that a process writes into a pipe which has a name."""

    def __init__(self, folder):
        self.path = f"{folder}/instructions"
        self.lines = 0
        os.mkfifo(self.path)
        # Open for writing as well, so that no end is seen before the first writer comes.
        self.pipe = os.open(self.path, os.O_RDWR)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        rest = b""
        while some := os.read(self.pipe, 1 << 20):
            self.lines += (rest + some).count(b"\nTrace ")
            rest = some[-6:]

    def settled(self):
        """How many there are once no more come."""
        before = -1
        while before != self.lines:
            before = self.lines
            time.sleep(0.5)
        return before


def measured(cpu, qemu, binary):
    with tempfile.TemporaryDirectory(prefix="perchd-instructions-") as folder:
        count = Count(folder)
        peer = Perchd(binary)
        server = peer.start([qemu, "-cpu", cpu, one_at_a_time(qemu), "-d", "exec,nochain", "-D", count.path])
        client = Mcp(server, peer)
        number, costs, before = 10_000_000, [], count.settled()
        for _ in range(ROUNDS + 1):
            for _ in range(CALLS):
                client.send(number)
                client.receive(number)
                number += 1
            after = count.settled()
            costs.append((after - before) / CALLS)
            before = after
        server.stop()
    # The first round warms up; what comes on top of a call now and then, such as a timer, is not of it.
    return min(costs[1:]), max(costs[1:])


def one_at_a_time(qemu):
    """The option's name, which has changed with the years."""
    says = subprocess.run([qemu, "-h"], capture_output=True, text=True, check=True).stdout
    return next(name for name in ["-one-insn-per-tb", "-singlestep"] if name in says)


def main():
    machine, qemu, binary = sys.argv[1:]
    budgets = tomllib.loads((BENCH / "budgets.toml").read_text())[machine]
    budget, slack = budgets["instructions_per_call"], budgets["slack_percent"]
    least, most = measured(budgets.get("processor", machine), qemu, binary)
    print(f"perchd takes {least:,.0f} instructions per call on {machine} (up to {most:,.0f}), of {budget:,} and {slack} %")
    if least > budget * (1 + slack / 100):
        sys.exit(f"that is above the budget of tests/bench/budgets.toml, [{machine}]: what got dearer, or why may it?")
    if least < budget * (1 - slack / 100):
        sys.exit(f"that is below the budget of tests/bench/budgets.toml, [{machine}]: put the lower number there")
    for name, is_tls in [("bytes_per_stream", False), ("bytes_per_tls_stream", True)]:
        if most := budgets.get(name):
            took = stream_bytes(Perchd(binary), is_tls)
            print(f"perchd has {took:,.0f} {name}, of {most:,} and {slack} %")
            if took > most * (1 + slack / 100):
                sys.exit(f"that is above the budget of tests/bench/budgets.toml, [{machine}]: what takes more, or why may it?")


main()
