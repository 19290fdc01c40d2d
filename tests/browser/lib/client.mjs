// The least OAuth client there can be: registers, asks for a code on a loopback port, trades it for a token.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { within } from '../../clients/lib/wait.mjs';

const random = () => randomBytes(32).toString('base64url');

export class Client {
  static async make(t, base) {
    const client = new Client();
    Object.assign(client, { base, state: random(), verifier: random() });
    await client.listen(t);
    await client.register();
    return client;
  }

  /** The callback, whose first visit settles `visited`. */
  async listen(t) {
    let visit;
    this.visited = new Promise((resolve) => (visit = resolve));
    const listener = http.createServer((request, response) => {
      const url = new URL(request.url, this.redirectUri);
      response.setHeader('content-type', 'text/html');
      response.end(
        '<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Back at the client</title><h1>Back at the client</h1>',
      );
      if (url.pathname === '/callback') visit(url.searchParams);
    });
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    t.after(() => listener.closeAllConnections() ?? listener.close());
    this.redirectUri = `http://127.0.0.1:${listener.address().port}/callback`;
  }

  async register() {
    const request = { client_name: 'Claude Desktop', redirect_uris: [this.redirectUri], token_endpoint_auth_method: 'none' };
    const answer = await post(`${this.base}/register`, 'application/json', JSON.stringify(request));
    assert.equal(answer.status, 201);
    this.id = (await answer.json()).client_id;
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
    const answer = await post(`${this.base}/token`, 'application/x-www-form-urlencoded', body.toString());
    assert.equal(answer.status, 200);
    return answer.json();
  }

  /** The names of the tools that a token lists. */
  async tools(token) {
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const answer = await post(`${this.base}/mcp`, 'application/json', JSON.stringify(list), { authorization: `Bearer ${token}` });
    assert.equal(answer.status, 200);
    return (await answer.json()).result.tools.map((tool) => tool.name);
  }
}

function post(url, type, body, headers) {
  const accept = 'application/json, text/event-stream';
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': type, accept, ...headers },
    body,
    signal: AbortSignal.timeout(10_000),
  });
}
