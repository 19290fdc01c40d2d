"""Of what was counted, keeps what calls go through: hot.py COUNTS HOT

COUNTS is what `llvm-profdata merge -text` says; what is kept of it comes out. HOT gets the names of its functions.
"""

import re
import sys

import train


def main():
    head, *blocks = re.split(r"\n(?=[^\n]+\n# Func Hash:)", open(sys.argv[1]).read())
    # Both ways of a call go through a function more often than this, or one of them does at each of its calls.
    least = train.BURSTS * train.bench.BURST
    hot = [block for block in blocks if most(block) >= least]
    print(head, *hot, sep="\n")
    # What is local to a unit of code has its name before it.
    names = {re.sub("^.*;", "", block.partition("\n")[0]) for block in hot}
    with open(sys.argv[2], "w") as those:
        print(*sorted(names), sep="\n", file=those)


def most(block):
    """How often what is passed most in a function was passed."""
    return max(int(count) for count in re.search(r"# Counter Values:\n((?:\d+\n?)+)", block)[1].split())


if __name__ == "__main__":
    main()
