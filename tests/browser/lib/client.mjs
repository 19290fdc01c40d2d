// The least OAuth client there can be: registers, asks for a code on a loopback port, trades it for a token.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { within } from '../../clients/lib/wait.mjs';

const random = () => randomBytes(32).toString('base64url');

export class Client {
  /** Options: ca (that of the board), scope (what it asks for; everything when not given). */
  static async make(t, base, { ca, scope } = {}) {
    const client = new Client();
    Object.assign(client, { base, ca, scope, state: random(), verifier: random() });
    await client.listen(t);
    await client.register();
    return client;
  }

  /** The callback, whose next visit settles `visited`. */
  async listen(t) {
    this.wait();
    const listener = http.createServer((request, response) => {
      const url = new URL(request.url, this.redirectUri);
      response.setHeader('content-type', 'text/html');
      response.end(
        '<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Back at the client</title><h1>Back at the client</h1>',
      );
      if (url.pathname === '/callback') this.visit(url.searchParams);
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.after(() => listener.closeAllConnections() ?? listener.close());
    this.redirectUri = `http://127.0.0.1:${listener.address().port}/callback`;
  }

  wait() {
    this.visited = new Promise((resolve) => (this.visit = resolve));
  }

  /** Asks once more, for this. */
  again(scope) {
    Object.assign(this, { scope, state: random(), verifier: random() });
    this.wait();
    return this.link;
  }

  async register() {
    const request = { client_name: 'Claude Desktop', redirect_uris: [this.redirectUri], token_endpoint_auth_method: 'none' };
    const answer = await this.post('/register', 'application/json', JSON.stringify(request));
    assert.equal(answer.status, 201);
    this.id = answer.json().client_id;
  }

  get link() {
    const link = new URL('/authorize', this.base);
    link.search = new URLSearchParams({
      response_type: 'code',
      client_id: this.id,
      redirect_uri: this.redirectUri,
      state: this.state,
      code_challenge: createHash('sha256').update(this.verifier).digest('base64url'),
      code_challenge_method: 'S256',
      resource: `${this.base}/mcp`,
      ...(this.scope && { scope: this.scope }),
    });
    return link.href;
  }

  /** What the browser brought back; state and issuer are checked here because each answer must carry them. */
  async answer() {
    const answer = await within('the browser to come back to the client', 20, this.visited);
    assert.equal(answer.get('state'), this.state);
    assert.equal(answer.get('iss'), this.base);
    return answer;
  }

  async token(code) {
    const form = { grant_type: 'authorization_code', code, code_verifier: this.verifier, client_id: this.id };
    const body = new URLSearchParams({ ...form, redirect_uri: this.redirectUri, resource: `${this.base}/mcp` });
    const answer = await this.post('/token', 'application/x-www-form-urlencoded', body.toString());
    assert.equal(answer.status, 200);
    return answer.json();
  }

  /** The names of the tools that a token lists. */
  async tools(token) {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const answer = await this.post('/mcp', 'application/json', JSON.stringify(list), { authorization: `Bearer ${token}` });
    assert.equal(answer.status, 200);
    return answer.json().result.tools.map((tool) => tool.name);
  }

  /** To the board, by whatever name: it runs on this computer. */
  async post(path, type, body, headers) {
    const { protocol, host, hostname, port } = new URL(this.base);
    const accept = 'application/json, text/event-stream';
    const options = {
      ...{ method: 'POST', host: '127.0.0.1', port, path, ca: this.ca, signal: AbortSignal.timeout(10_000) },
      ...(this.ca && { servername: hostname }),
      headers: { host, 'content-type': type, accept, 'content-length': Buffer.byteLength(body), ...headers },
    };
    return new Promise((resolve, reject) => {
      const request = (protocol === 'https:' ? https : http).request(options, async (response) => {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        resolve({ status: response.statusCode, json: () => JSON.parse(text) });
      });
      request.on('error', reject).end(body);
    });
  }
}
