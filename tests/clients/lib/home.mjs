// An account on a computer of its own: where a client keeps its files, opens a browser, and leaves a trace of its requests.
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { folder } from './perchd.mjs';

const record = path.join(import.meta.dirname, 'record.mjs');
const hosts = path.join(import.meta.dirname, 'hosts.mjs');

export class Home {
  static async make(t, folders = []) {
    const home = new Home();
    home.path = await folder(t);
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

async function lines(file) {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean);
}
