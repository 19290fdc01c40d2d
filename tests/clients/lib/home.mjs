// An account on a computer of its own: where a client keeps its files, opens a browser, and leaves a trace of its requests.
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { folder } from './perchd.mjs';

const record = path.join(import.meta.dirname, 'record.mjs');
const hosts = path.join(import.meta.dirname, 'hosts.mjs');

export class Home {
  static async make(t, folders = []) {
    const home = new Home();
    home.path = await folder(t);
    home.callbackPort = await quietPort();
    for (const name of ['bin', ...folders]) await mkdir(home.file(name));
    await writeFile(home.file('bin/xdg-open'), '#!/bin/sh\nprintf "%s\\n" "$1" >>"$HOME/opened"\n');
    await chmod(home.file('bin/xdg-open'), 0o755);
    return home;
  }

  file(name) {
    return path.join(this.path, name);
  }

  get env() {
    return {
      PATH: `${this.file('bin')}:${path.dirname(process.execPath)}:/usr/bin:/bin`,
      HOME: this.path,
      TMPDIR: process.env.TMPDIR ?? '/tmp',
      BROWSER: this.file('bin/xdg-open'),
      MCP_REMOTE_CONFIG_DIR: this.file('mcp-remote'),
      MCP_STORAGE_DIR: this.file('inspector'),
      MCP_INSPECTOR_SECRET_STORE: 'memory',
      MCP_AUTO_OPEN_ENABLED: 'true',
      NODE_OPTIONS: `--import=file://${record} --import=file://${hosts}`,
      WIRE_LOG: this.file('wire'),
    };
  }

  /** The links that a browser was asked to open. */
  async opened() {
    return lines(this.file('opened'));
  }

  /** The requests of the clients so far, as "POST /token"; queries are left out. */
  async requests() {
    return lines(this.file('wire'));
  }

  /** Forgets the requests so far. */
  async newPage() {
    await writeFile(this.file('wire'), '');
  }
}

/**
 * A free port that the kernel gives to nobody by itself (ip_local_port_range). mcp-remote derives its own from the server's
 * address; where a connection happens to have that one, it takes the next, and at its next start it registers anew.
 */
async function quietPort() {
  for (;;) {
    const server = createServer().listen(randomInt(20_000, 32_000), '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    const { port } = server.address() ?? {};
    server.close();
    if (isFree) return port;
  }
}

async function lines(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}
