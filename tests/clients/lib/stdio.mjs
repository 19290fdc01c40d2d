// What a desktop host does with mcp-remote: starts it as a child and talks JSON-RPC to it, one message a line.
import { within } from './wait.mjs';

export class Stdio {
  constructor(program) {
    this.program = program;
    this.waiting = new Map();
    this.lastId = 0;
    let rest = '';
    program.child.stdin.on('error', () => {});
    program.child.stdout.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      lines.filter(Boolean).forEach((line) => this.receive(JSON.parse(line)));
    });
  }

  receive(message) {
    this.waiting.get(message.id)?.(message);
    this.waiting.delete(message.id);
  }

  send(message) {
    this.program.child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  }

  /** Sends a request; returns its result, throws its error. */
  async request(method, params, seconds = 30) {
    const id = (this.lastId += 1);
    const answer = new Promise((resolve) => this.waiting.set(id, resolve));
    this.send({ id, method, params });
    const ended = this.program.ended.then(({ code, signal }) => {
      throw new Error(`${this.program.name} ended (${code ?? signal}) before it answered ${method}`);
    });
    ended.catch(() => {});
    const message = await within(`the answer to ${method}`, seconds, Promise.race([answer, ended]));
    if (message.error) throw new Error(`${method}: ${message.error.message} (${message.error.code})`);
    return message.result;
  }

  async initialize(protocolVersion = '2025-06-18', seconds = 60) {
    const clientInfo = { name: 'perchd-tests', version: '1' };
    const result = await this.request('initialize', { protocolVersion, capabilities: {}, clientInfo }, seconds);
    this.send({ method: 'notifications/initialized' });
    return result;
  }

  /** Calls a tool and returns the text of its answer. */
  async call(name, args, seconds) {
    const result = await this.request('tools/call', { name, arguments: args }, seconds);
    return result.content.map((block) => block.text).join('');
  }
}
