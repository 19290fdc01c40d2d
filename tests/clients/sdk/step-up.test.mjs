// A token that lacks a scope: the SDKs hear so. SDK 2 asks the person for it and goes on. SDK 1 (1.32) tries its refresh token, which
// cannot bring more than was allowed, and gives that one call up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as two from '@modelcontextprotocol/client';
import { Client as OneClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OneHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Perchd } from '../lib/perchd.mjs';
import { Person } from '../lib/person.mjs';

const SDKS = [
  { name: 'SDK 1', Client: OneClient, Http: OneHttp, stepsUp: false },
  { name: 'SDK 2', Client: two.Client, Http: two.StreamableHTTPClientTransport, stepsUp: true },
];

/** What an SDK wants to know and keep about its sign-in. */
class Wallet {
  redirectUrl = 'http://localhost:33418/callback';
  clientMetadata = { client_name: 'Step-up', redirect_uris: [this.redirectUrl], token_endpoint_auth_method: 'none' };
  links = [];

  clientInformation = () => this.information;
  saveClientInformation = (information) => void (this.information = information);
  tokens = () => this.saved;
  saveTokens = (tokens) => void (this.saved = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  discoveryState = () => this.discovered;
  saveDiscoveryState = (discovered) => void (this.discovered = discovered);
  redirectToAuthorization = (link) => void this.links.push(link);
}

for (const { name, Client, Http, stepsUp } of SDKS) {
  test(`${name} ${stepsUp ? 'asks for the scope that is missing' : 'gives up what it has no scope for'}`, { timeout: 60_000 }, async (t) => {
    const server = await Perchd.start(t);
    const wallet = new Wallet();
    const make = () => ({ transport: new Http(new URL(`${server.base}/mcp`), { authProvider: wallet }), client: new Client({ name: 'tests', version: '1' }) });
    /** The person ticks these boxes, and the client goes on with what he allowed. */
    const allow = async (transport, scopes) => {
      const { callback } = await new Person({ scopes }).signIn(wallet.links.at(-1), { stopAtCallback: true });
      await transport.finishAuth(name === 'SDK 1' ? callback.searchParams.get('code') : callback.searchParams);
    };

    const first = make();
    await assert.rejects(first.client.connect(first.transport), /Unauthorized/);
    await allow(first.transport, ['math']);
    const { client, transport } = make();
    t.after(() => client.close());
    await client.connect(transport);
    assert.equal(wallet.saved.scope, 'math');
    assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['add', 'calculate']);

    await assert.rejects(client.callTool({ name: 'board_health', arguments: {} }), /Unauthorized|403/);
    const sum = await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } });
    assert.equal(sum.content[0].text, '5', 'what was allowed goes on');
    if (!stepsUp) return;
    assert.match(wallet.links.at(-1).searchParams.get('scope'), /system:read/);
    assert.equal(wallet.links.length, 2, 'one more link, and only one');
    await allow(transport, ['math', 'system:read']);
    const health = await client.callTool({ name: 'board_health', arguments: {} });
    assert.ok(!health.isError && health.content.length > 0);
    assert.equal(wallet.saved.scope, 'math system:read', 'and nothing was lost');
  });
}
