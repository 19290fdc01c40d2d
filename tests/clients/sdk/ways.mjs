// The ways in which an SDK can talk to perchd, and one shape for the two SDKs: what differs between them is here, nowhere else.
import * as two from '@modelcontextprotocol/client';
import { Client as OneClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as OneSse } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as OneHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as oneTypes from '@modelcontextprotocol/sdk/types.js';
import { until } from '../lib/wait.mjs';

/** The server that has one of everything and asks nobody to sign in. */
export const FIXTURES = { auth: 'open', example: 'conformance' };

export const STATELESS = '2026-07-28';
const HANDSHAKE = '2025-11-25';

const pinned = { versionNegotiation: { mode: { pin: STATELESS } } };
const auto = { versionNegotiation: { mode: 'auto' } };

/** `speaks` is the revision that they agree on. With `auto` the SDK asks first which dialect is spoken, and with `pin` it insists on one. */
export const WAYS = [
  { name: 'SDK 1, /sse, handshake', sdk: 1, path: '/sse', speaks: HANDSHAKE },
  { name: 'SDK 1, /mcp, handshake', sdk: 1, path: '/mcp', speaks: HANDSHAKE },
  { name: 'SDK 2, /sse, handshake', sdk: 2, path: '/sse', speaks: HANDSHAKE },
  { name: 'SDK 2, /sse, either dialect', sdk: 2, path: '/sse', speaks: HANDSHAKE, options: auto },
  { name: 'SDK 2, /mcp, handshake', sdk: 2, path: '/mcp', speaks: HANDSHAKE },
  { name: 'SDK 2, /mcp, stateless', sdk: 2, path: '/mcp', speaks: STATELESS, options: pinned },
  { name: 'SDK 2, /mcp, either dialect', sdk: 2, path: '/mcp', speaks: STATELESS, options: auto },
];

const ONE_SCHEMAS = {
  'notifications/message': oneTypes.LoggingMessageNotificationSchema,
  'notifications/resources/updated': oneTypes.ResourceUpdatedNotificationSchema,
  'notifications/tools/list_changed': oneTypes.ToolListChangedNotificationSchema,
  'notifications/prompts/list_changed': oneTypes.PromptListChangedNotificationSchema,
  'elicitation/create': oneTypes.ElicitRequestSchema,
  'sampling/createMessage': oneTypes.CreateMessageRequestSchema,
  'roots/list': oneTypes.ListRootsRequestSchema,
};

const CAPABILITIES = {
  'elicitation/create': { elicitation: {} },
  'sampling/createMessage': { sampling: {} },
  'roots/list': { roots: { listChanged: true } },
};

/** One client, connected, and all that went over its wire. */
export class Connection {
  /** Options: `bearer` (a token), `answers` (what the client answers to requests of the server, by method), `session` (an id to go on with), `client`. */
  static async open(t, server, way, options = {}) {
    const connection = new Connection();
    connection.way = way;
    connection.requests = [];
    connection.messages = [];
    connection.errors = [];
    connection.bearer = options.bearer;
    const transport = connection.makeTransport(new URL(server.base + way.path), options.session);
    connection.transport = transport;
    const client = connection.makeClient(options);
    connection.client = client;
    client.onerror = (error) => connection.errors.push(error);
    for (const [method, answer] of Object.entries(options.answers ?? {})) {
      client.setRequestHandler(way.sdk === 1 ? ONE_SCHEMAS[method] : method, async (request) => answer(request.params));
    }
    t.after(() => client.close());
    await client.connect(transport, { timeout: 10_000 });
    const deliver = transport.onmessage;
    transport.onmessage = (message, extra) => {
      connection.messages.push(message);
      deliver(message, extra);
    };
    return connection;
  }

  makeTransport(url, sessionId) {
    const options = { fetch: this.recording(), sessionId };
    if (this.way.path === '/sse') return this.way.sdk === 1 ? new OneSse(url, options) : new two.SSEClientTransport(url, options);
    return this.way.sdk === 1 ? new OneHttp(url, options) : new two.StreamableHTTPClientTransport(url, options);
  }

  makeClient({ answers = {}, client = {} }) {
    const capabilities = Object.assign({}, ...Object.keys(answers).map((method) => CAPABILITIES[method]));
    const Client = this.way.sdk === 1 ? OneClient : two.Client;
    return new Client({ name: 'perchd-tests', version: '1' }, { capabilities, ...this.way.options, ...client });
  }

  /** A fetch that keeps what it was asked for and what came back. */
  recording() {
    return async (url, given = {}) => {
      const bearer = this.bearer && { authorization: `Bearer ${this.bearer}` };
      const init = { ...given, headers: { ...Object.fromEntries(new Headers(given.headers)), ...bearer } };
      const body = typeof init.body === 'string' ? JSON.parse(init.body) : undefined;
      const request = { method: init.method ?? 'GET', path: new URL(url).pathname, headers: new Headers(init.headers), body, signal: init.signal };
      this.requests.push(request);
      const response = await fetch(url, init);
      request.status = response.status;
      return response;
    };
  }

  /** Calls a tool. Options are the SDK's: `onprogress`, `signal`, `timeout`. */
  call(name, args = {}, { meta, ...options } = {}) {
    const params = { name, arguments: args, ...(meta && { _meta: meta }) };
    const all = { timeout: 10_000, ...options };
    return this.way.sdk === 1 ? this.client.callTool(params, undefined, all) : this.client.callTool(params, all);
  }

  /** Hears notifications of this method; the list that it returns grows. */
  hear(method) {
    const heard = [];
    this.client.setNotificationHandler(this.way.sdk === 1 ? ONE_SCHEMAS[method] : method, ({ params }) => void heard.push(params));
    return heard;
  }

  /** Sends a request that the SDK has no method for, or not in this form. */
  async ask(method, params, resultSchema) {
    const request = { method, params };
    const options = { timeout: 10_000 };
    return this.way.sdk === 1 ? this.client.request(request, resultSchema, options) : this.client.request(request, options);
  }

  /** The requests of this JSON-RPC method that went out. */
  sent(method) {
    return this.requests.filter(({ body }) => body?.method === method);
  }

  /** In the handshake dialect over /mcp the SDK opens its own stream for what comes unasked, and tells nobody when it is open. */
  async unaskedStream() {
    if (this.way.path !== '/mcp' || isStateless(this.way)) return;
    await until('the stream of GET /mcp', 5, () => this.requests.some(({ method, status }) => method === 'GET' && status === 200));
  }
}

export const oneSchemas = oneTypes;

/** What an error says of itself, in either SDK: the HTTP status or the JSON-RPC code. */
export const codeOf = (error) => error.status ?? error.code;

export const isStateless = (way) => way.speaks === STATELESS;
export const textOf = (result) => result.content.map((block) => block.text).join('');
