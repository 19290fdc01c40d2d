"""Has a perchd that counts serve what clients ask of it most: train.py PERCHD"""

import sys

import bench

BURSTS = 12
STREAMS = 20


def main():
    perchd = bench.Perchd(sys.argv[1])
    for way in [bench.Mcp, bench.Sse]:
        crowd = bench.Crowd(perchd, way, 16)
        for _ in range(BURSTS):
            crowd.burst()
        crowd.server.stop()
    # What comes over TLS is read and written by other ways.
    server = perchd.start(is_tls=True)
    held = [perchd.stream(server, perchd.stream_headers(server, True), True) for _ in range(STREAMS)]
    wire, headers = bench.Wire(server, True), [bench.accept(), *perchd.headers(server, True)]
    for number in range(bench.CALLS):
        status, _, body = wire.json("POST /mcp", headers, bench.add(number))
        if status != 200:
            raise RuntimeError(f"a wrong answer: {status} {body!r}")
    for one in held:
        one.socket.close()
    server.stop()


if __name__ == "__main__":
    main()
