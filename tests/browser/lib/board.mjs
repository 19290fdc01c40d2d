// Boards as their owners set them up: with users, codes, TLS, a name on the network, and a tool that changes something.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { binary, folder, Perchd } from '../../clients/lib/perchd.mjs';
import { until } from '../../clients/lib/wait.mjs';

/** The name on the network, which Chromium is told to look for on this computer. */
export const NAME = 'greenhouse.local';
export const PASSWORDS = { anna: 'difference engine', ben: 'analytical engine' };

const RESTART = `
[[tool]]
name = "restart_service"
title = "Restart a service"
about = "Restarts one of the services of the greenhouse"
scope = "services:write"
effect = "write"
run = ["/bin/true", "{unit}"]
args.unit = { type = "string", enum = ["pump.service", "lamp.service"], about = "Which one" }
`;

// What a person must approve; it writes a line into a file each time that it runs.
const APPROVED = `
[[tool]]
name = "note"
about = "Writes a word down"
scope = "note:write"
effect = "destructive"
confirm = "page"
run = ["/bin/sh", "STATE/note.sh", "{word}"]
args.word = { type = "string" }
`;

const TOML = {
  users: { mode: ['users'] },
  pairing: { mode: ['pairing'] },
  both: { mode: ['users', 'pairing'] },
  approval: { mode: ['users', 'pairing'], more: APPROVED },
  // Plain HTTP under a name that other computers use.
  plain: { mode: ['users'], far: true },
  tls: { mode: ['users', 'pairing'], far: true, tls: 'own' },
};

// What `perchd passwd` prints for each, made once.
let lines;

export class Board {
  /** `kind` is one of the above, or "demo". Options: state (that of another board), env (more of the environment). */
  static async start(t, kind, options = {}) {
    const board = new Board();
    const { mode, far, tls = 'off', more = '' } = TOML[kind] ?? {};
    board.state = options.state ?? (await folder(t));
    board.config = path.join(board.state, 'perchd.toml');
    const head = `name = "Greenhouse"\nnames = ["${NAME}"]\n[tls]\nmode = "${tls}"\n`;
    await writeFile(path.join(board.state, 'note.sh'), `printf '%s\\n' "$1" >>${board.state}/written\n`);
    await writeFile(board.config, head + RESTART + more.replace('STATE', board.state) + (mode ? `[auth]\nmode = ${JSON.stringify(mode)}\n` : '') + users(mode));
    const { config, state } = board;
    const auth = mode ? null : 'demo';
    board.server = await Perchd.start(t, { config, state, auth, port: options.port, env: { XDG_RUNTIME_DIR: state, ...options.env } });
    // The socket listens a moment before the certificate is made.
    await until('the greeting of perchd', 20, () => board.server.program.stdout.includes('Open http'));
    board.port = board.server.port;
    board.base = `${tls === 'own' ? 'https' : 'http'}://${far ? NAME : 'localhost'}:${board.port}`;
    board.ca = tls === 'own' ? readFileSync(path.join(state, 'ca.pem')) : undefined;
    return board;
  }

  /** A code from the board, as its owner asks for one. */
  pair(...more) {
    return this.run('pair', ...more);
  }

  /** A token, as its owner makes one for a program. */
  token(...scopes) {
    return this.run('token', 'new', '--name', 'test', '--user', 'anna', '--ttl', '1h', ...scopes.flatMap((scope) => ['--scope', scope]));
  }

  run(...words) {
    const env = { ...process.env, XDG_RUNTIME_DIR: this.state };
    return execFileSync(binary, [...words, '--config', this.config, '--state', this.state], { env, encoding: 'utf8', stdio: 'pipe' }).trim();
  }

  /** The words that the tool which needs approval has written. */
  get written() {
    const file = path.join(this.state, 'written');
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }

  get fingerprint() {
    return new X509Certificate(this.ca).fingerprint256;
  }
}

function users(mode) {
  if (!mode?.includes('users')) return '';
  const made = ([name, input]) => execFileSync(binary, ['passwd', name, '--stdin'], { input, encoding: 'utf8', stdio: 'pipe' });
  lines ??= Object.entries(PASSWORDS).map(made);
  // Ben is the last one.
  return `${lines.join('')}scopes = ["math", "system:read"]\n`;
}

/** The environment in which a program believes that it is later. */
export function later(offset) {
  const library = readdirSync('/usr/lib')
    .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find(existsSync);
  assert.ok(library, "Debian's package libfaketime is there");
  return { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** A home in which Chromium trusts these CAs, and no other that it does not bring. */
export async function trusting(t, ...cas) {
  const home = await folder(t);
  const certutil = (...words) => execFileSync('certutil', ['-d', `sql:${home}/.pki/nssdb`, ...words], { stdio: 'pipe' });
  execFileSync('mkdir', ['-p', `${home}/.pki/nssdb`]);
  certutil('-N', '--empty-password');
  for (const ca of cas) {
    const file = path.join(home, 'ca.pem');
    await writeFile(file, ca);
    certutil('-A', '-n', createHash('sha256').update(ca).digest('hex'), '-t', 'C,,', '-i', file);
  }
  return home;
}
