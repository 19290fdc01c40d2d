// Who talks to an emulated board: mcp-remote with a person who signs in, and a program with a token.
import assert from 'node:assert/strict';
import https from 'node:https';
import path from 'node:path';
import { Home } from '../../clients/lib/home.mjs';
import { Person } from '../../clients/lib/person.mjs';
import { Program } from '../../clients/lib/program.mjs';
import { Stdio } from '../../clients/lib/stdio.mjs';
import { until } from '../../clients/lib/wait.mjs';

const proxy = path.join(import.meta.dirname, '../../clients/node_modules/mcp-remote/dist/proxy.js');
export const PATIENCE_SECS = 180;

/** A desktop that runs mcp-remote, with an owner beside it who can read the codes that the board shows. */
export class Desktop {
  static async make(t, board) {
    const desktop = new Desktop();
    Object.assign(desktop, { t, board, home: await Home.make(t), seen: 0 });
    return desktop;
  }

  /** Starts mcp-remote, and says hello; where a browser opens, its owner signs in. */
  async start() {
    const host = this.spawn();
    const isUp = new AbortController();
    const hello = host.initialize('2025-06-18', PATIENCE_SECS).finally(() => isUp.abort());
    const [info] = await Promise.all([hello, this.signInIfAsked(isUp.signal)]);
    assert.equal(info.serverInfo.name, 'perchd');
    return host;
  }

  /** As far as a code that was never traded for a token: there the owner's browser stops. */
  async startAndStopHalfWay() {
    const host = this.spawn();
    host.initialize('2025-06-18', PATIENCE_SECS).catch(() => {});
    const link = await until('mcp-remote to open a browser', PATIENCE_SECS, () => this.opened());
    const { callback } = await this.signIn(link, { stopAtCallback: true });
    assert.ok(callback.searchParams.get('code'), 'the board gave a code');
    return host;
  }

  spawn() {
    const { board, home } = this;
    const hosts = JSON.stringify({ [board.host]: board.address });
    const env = { ...home.env, NODE_EXTRA_CA_CERTS: board.ca, HOSTS: hosts };
    const args = [proxy, `${board.base}/mcp`, String(home.callbackPort), '--auth-timeout', `${PATIENCE_SECS}`];
    return new Stdio(new Program(this.t, process.execPath, args, { env, cwd: home.path, input: true, name: 'mcp-remote' }));
  }

  async opened() {
    return (await this.home.opened())[this.seen];
  }

  async signInIfAsked(isUp) {
    const link = await until('mcp-remote to open a browser or to be up', PATIENCE_SECS, async () => isUp.aborted || (await this.opened()));
    if (typeof link === 'string') await this.signIn(link);
  }

  async signIn(link, options) {
    this.seen += 1;
    const code = await this.board.sh('perchd pair 2>/dev/null');
    return new Person({ code }).signIn(link, options);
  }
}

/** Makes a token on the board. */
export async function token(board, name, ...scopes) {
  const options = scopes.map((scope) => `--scope ${scope}`).join(' ');
  return board.sh(`perchd token new ${options} --ttl 1d --name ${name} 2>/dev/null`);
}

/** One request, on a connection of its own unless there is an `agent`. Not fetch, which gives a handshake ten seconds: on an emulated board some take longer. */
export function request(board, where, { body, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const asked = https.request(`${board.base}${where}`, { agent: false, ...options });
    asked.setTimeout(PATIENCE_SECS * 1000, () => asked.destroy(new Error(`${board.name} did not answer`)));
    asked.once('response', resolve).on('error', reject).end(body);
  });
}

/** Asks the board for what its /mcp answers to a holder of this token. */
export async function ask(board, token, method, params, agent = false) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const answer = await request(board, '/mcp', { method: 'POST', headers, body, agent });
  return { status: answer.statusCode, text: await textOf(answer) };
}

export const textOf = async (answer) => (await answer.toArray()).join('');

/** Calls a tool; returns its result. */
export async function call(board, token, name, args, agent) {
  const answer = await ask(board, token, 'tools/call', { name, arguments: args }, agent);
  const { result, error } = JSON.parse(answer.text);
  assert.ok(result, `${name}: ${answer.status} ${JSON.stringify(error)}`);
  return result;
}
