// The server under test: started on a free loopback port with a state folder of its own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Program } from './program.mjs';
import { until } from './wait.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
export const binary = path.resolve(root, process.env.PERCHD ?? 'target/release/perchd');
/** Programs of the tests, which nobody ships: they need not be built twice as long for half the size. */
const examples = path.resolve(root, process.env.EXAMPLES ?? 'target/debug/examples');

/** An empty folder that goes when the test is over. */
export async function folder(t) {
  const made = await mkdtemp(path.join(os.tmpdir(), 'perchd-clients-'));
  t.after(() => rm(made, { recursive: true, force: true, maxRetries: 5 }));
  return made;
}

/** A port that was free a moment ago. */
export async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export class Perchd {
  /**
   * Options: auth ("demo" or "open"; null leaves it to the configuration), host (127.0.0.1), port and state (made when not given), config (a file), example (a program
   * of this name instead), tls (names for a certificate of its own CA; it is reached by the first), env (more of the environment).
   */
  static async start(t, options = {}) {
    const server = new Perchd();
    server.auth = options.auth === undefined ? 'demo' : options.auth;
    server.example = options.example;
    server.config = options.config;
    server.port = options.port ?? (await freePort());
    server.state = options.state ?? (await folder(t));
    server.host = options.host ?? '127.0.0.1';
    server.tls = options.tls;
    server.env = options.env;
    server.base = server.tls ? `https://${server.tls[0]}:${server.port}` : `http://${options.host ?? 'localhost'}:${server.port}`;
    await server.run(t);
    return server;
  }

  /** Starts it, the first time or again, and waits until it can be connected to. */
  async run(t) {
    const where = ['--listen', `${this.host}:${this.port}`];
    if (this.auth !== null) where.push('--auth', this.auth);
    if (this.config) where.push('--config', this.config);
    if (this.tls) {
      const file = path.join(this.state, 'perchd.toml');
      await writeFile(file, `names = ${JSON.stringify(this.tls)}\n[tls]\nmode = "own"\n`);
      where.push('--config', file);
    }
    // An example makes a state of its own, here within a folder that goes even when the example is killed.
    const env = { ...process.env, TMPDIR: this.state, ...this.env };
    const program = this.example
      ? new Program(t, path.join(examples, this.example), where, { name: this.example, env })
      : new Program(t, binary, ['serve', ...where, '--state', this.state], { name: 'perchd', env: { ...process.env, ...this.env } });
    this.program = program;
    await until(`perchd on port ${this.port}`, 30, () => {
      if (program.end) throw new Error(`perchd ended at its start: ${program.end.error ?? program.transcript()}`);
      return canConnect(this.port, this.host);
    });
    // Whatever a test does, the server that it leaves behind stops when asked to, with streams open or not.
    t.after(() => program.end || program.stop());
  }

  /** The certificate of its CA. */
  get ca() {
    return path.join(this.state, 'ca.pem');
  }

  /** A power cut, then power again. */
  async restart(t) {
    await this.program.kill();
    await this.run(t);
  }
}

function canConnect(port, host) {
  return new Promise((resolve) => {
    const socket = net.connect(port, host);
    socket.once('connect', () => resolve(true) ?? socket.destroy());
    socket.once('error', () => resolve(false));
  });
}
