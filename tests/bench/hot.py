"""Of what was counted, keeps what calls go through: hot.py COUNTS HOT [SYMBOLS]

COUNTS is what `llvm-profdata merge -text` says; what is kept of it comes out. HOT gets arguments of rustc that take the functions of those
out of what is built to be small; with SYMBOLS, which is what `nm` says of a program, only functions that are in it.
"""

import re
import sys

import train


def main():
    counts, *symbols = [open(name).read() for name in [sys.argv[1], *sys.argv[3:]]]
    head, *blocks = re.split(r"\n(?=[^\n]+\n# Func Hash:)", counts)
    # Both ways of a call go through a function more often than this, or one of them does at each of its calls.
    least = train.BURSTS * train.bench.BURST
    hot = [block for block in blocks if most(block) >= least]
    print(head, *hot, sep="\n")
    # What is local to a unit of code has its name before it.
    names = {re.sub("^.*;", "", block.partition("\n")[0]) for block in hot}
    if symbols:
        names &= {line.split()[-1] for line in symbols[0].splitlines() if line.split()[1] in "tT"}
    with open(sys.argv[2], "w") as arguments:
        for name in sorted(names):
            for attribute in ["minsize", "optsize"]:
                print(f"-Cllvm-args=-force-remove-attribute={name}:{attribute}", file=arguments)


def most(block):
    """How often what is passed most in a function was passed."""
    return max(int(count) for count in re.search(r"# Counter Values:\n((?:\d+\n?)+)", block)[1].split())


if __name__ == "__main__":
    main()
