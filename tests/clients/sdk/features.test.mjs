// Every feature once, from every way in which the two TypeScript SDKs can talk to perchd. What an SDK cannot do in a way is left out
// with its reason beside it, and the reason is printed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd } from '../lib/perchd.mjs';
import { until, within } from '../lib/wait.mjs';
import { codeOf, Connection, FIXTURES, isStateless, oneSchemas, textOf, WAYS } from './ways.mjs';

const timeout = 120_000;
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';

/** Name, what it does, and `lacks`: why it cannot be done in a way, or nothing. */
const FEATURES = [
  ['the revision is agreed on', agrees],
  ['ping', pings, { lacks: (way) => isStateless(way) && 'this revision has no ping' }],
  ['tools are listed page by page', listsTools],
  ['a text', simpleText],
  ['an image', image],
  ['audio', audio],
  ['an embedded resource', embedded],
  ['several kinds of content at once', mixed],
  ['structured output', structured],
  ['a failure is a result', failure],
  ['an unknown tool is an error', unknownTool],
  ['progress', progress],
  ['log messages', logs],
  ['a call that is cancelled', cancels],
  ['resources are listed page by page', listsResources],
  ['a text resource', textResource],
  ['a binary resource', binaryResource],
  ['a resource by its template', templateResource],
  ['a resource that is not there', missingResource],
  ['a resource is watched', watches],
  ['prompts are listed', listsPrompts],
  ['a prompt', prompt],
  ['a prompt with arguments', promptWithArguments],
  ['a prompt with an embedded resource', promptWithResource],
  ['a prompt with an image', promptWithImage],
  ['completion', completes],
  ['elicitation is accepted', accepts],
  ['elicitation is declined', declines],
  ['elicitation without the capability', cannotElicit],
  ['sampling', samples],
  ['roots', roots],
  ['several questions at once', asksAtOnce],
  ['one question after another', asksInTurn],
  ['a question of a prompt', promptAsks],
  ['a tool that needs what the client lacks', lacksCapability],
  ['arguments in headers', headers, { lacks: (way) => !isStateless(way) && 'there are no such headers before 2026-07-28' }],
  ['a connection that is given up in the middle of a call', comesBack],
  ['word that tools have changed', toolsChange],
  ['word that prompts have changed', promptsChange],
];

for (const way of WAYS) {
  test(way.name, { timeout: 10 * timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    for (const [name, run, { lacks } = {}] of FEATURES) {
      const reason = lacks?.(way);
      if (reason) t.diagnostic(`left out: ${name}: ${reason}`);
      else await t.test(name, { timeout }, (t) => run(t, (options) => Connection.open(t, server, way, options), way));
    }
  });
}

async function agrees(t, open, way) {
  const { client, transport } = await open();
  assert.equal(client.getServerVersion().name.length > 0, true);
  // SDK 1 keeps it in the transport only, and there only over /mcp.
  const agreed = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? transport._protocolVersion;
  assert.equal(agreed, way.speaks);
}

async function pings(t, open) {
  const { client } = await open();
  assert.deepEqual(await client.ping({ timeout: 5000 }), {});
}

async function listsTools(t, open) {
  const connection = await open();
  const tools = await pages(connection, 'tools/list', 'tools', oneSchemas.ListToolsResultSchema);
  const names = tools.map((tool) => tool.name);
  assert.ok(names.includes('test_simple_text'));
  assert.equal(new Set(names).size, names.length);
  assert.ok(tools.every((tool) => tool.description && tool.inputSchema.type === 'object'));
  const { tools: whole } = await connection.client.listTools();
  assert.equal(whole.length, names.length);
}

async function simpleText(t, open) {
  const { content } = await (await open()).call('test_simple_text');
  assert.deepEqual(content, [{ type: 'text', text: 'This is a simple text response for testing.' }]);
}

async function image(t, open) {
  const { content } = await (await open()).call('test_image_content');
  assert.equal(content.length, 1);
  assert.deepEqual([content[0].type, content[0].mimeType], ['image', 'image/png']);
  assert.ok(isPng(content[0].data));
}

async function audio(t, open) {
  const { content } = await (await open()).call('test_audio_content');
  assert.equal(content.length, 1);
  assert.deepEqual([content[0].type, content[0].mimeType], ['audio', 'audio/wav']);
  assert.equal(Buffer.from(content[0].data, 'base64').toString('latin1', 0, 4), 'RIFF');
}

async function embedded(t, open) {
  const { content } = await (await open()).call('test_embedded_resource');
  assert.equal(content.length, 1);
  assert.equal(content[0].type, 'resource');
  assert.equal(content[0].resource.uri, 'test://embedded-resource');
  assert.equal(content[0].resource.mimeType, 'text/plain');
  assert.ok(content[0].resource.text);
}

async function mixed(t, open) {
  const { content } = await (await open()).call('test_multiple_content_types');
  assert.deepEqual(
    content.map((block) => block.type),
    ['text', 'image', 'resource'],
  );
  assert.equal(content[2].resource.uri, 'test://mixed-content-resource');
  JSON.parse(content[2].resource.text);
}

/** The SDK checks the answer against the schema that the list gave, and throws when they differ. */
async function structured(_t, open) {
  const connection = await open();
  const { tools } = await connection.client.listTools();
  const { outputSchema } = tools.find(({ name }) => name === 'test_structured_output') ?? {};
  assert.deepEqual(outputSchema?.required, ['celsius']);
  const result = await connection.call('test_structured_output');
  assert.deepEqual(result.structuredContent, { celsius: 21.5 });
  assert.deepEqual(JSON.parse(textOf(result)), result.structuredContent);
}

async function failure(t, open) {
  const result = await (await open()).call('test_error_handling');
  assert.equal(result.isError, true);
  assert.match(textOf(result), /This tool intentionally returns an error for testing/);
}

async function unknownTool(t, open) {
  await refused((await open()).call('no_such_tool'), -32602);
}

async function progress(t, open) {
  const seen = [];
  const connection = await open();
  const result = await connection.call('test_tool_with_progress', {}, { onprogress: (word) => seen.push(word) });
  assert.ok(!result.isError);
  const words = connection.messages.filter(({ method }) => method === 'notifications/progress').map(({ params }) => params);
  const numbers = (words) => words.map((word) => [word.progress, word.total]);
  assert.deepEqual(numbers(words), [
    [0, 100],
    [50, 100],
    [100, 100],
  ]);
  const { progressToken } = connection.sent('tools/call')[0].body.params._meta;
  assert.ok(words.every((word) => word.progressToken === progressToken));
  // Over /sse an SDK forgets who wants to know when the answer is read together with the last word.
  assert.ok(seen.length >= 2);
  assert.deepEqual(numbers(seen), numbers(words).slice(0, seen.length));
}

async function logs(t, open, way) {
  const connection = await open();
  const heard = connection.hear('notifications/message');
  if (!isStateless(way)) await connection.client.setLoggingLevel('debug');
  await connection.call('test_tool_with_logging', {}, isStateless(way) ? { meta: { [LOG_LEVEL]: 'debug' } } : {});
  assert.deepEqual(
    heard.map((word) => [word.level, word.data]),
    [
      ['info', 'Tool execution started'],
      ['info', 'Tool processing data'],
      ['info', 'Tool execution completed'],
    ],
  );
  heard.length = 0;
  // Above what the tool says in one dialect, unasked for in the other: nothing is said.
  if (!isStateless(way)) await connection.client.setLoggingLevel('error');
  await connection.call('test_tool_with_logging');
  assert.deepEqual(heard, []);
}

/** Given up at the first word of progress. A second call like it outlasts the first, so an answer to that would have come by then. */
async function cancels(t, open, way) {
  const connection = await open();
  await connection.unaskedStream();
  const abort = new AbortController();
  const call = connection.call('test_tool_with_progress', {}, { signal: abort.signal, onprogress: () => abort.abort('enough') });
  await assert.rejects(within('the SDK to give the call up', 5, call), /enough/);
  const [first] = connection.sent('tools/call');
  if (isStateless(way)) {
    // The client has closed the stream of the answer, so nothing of it could be seen; that it did is what there is to see.
    await until('the stream of the answer to be closed', 5, () => first.signal?.aborted);
  } else {
    await until('word of it to the server', 5, () => connection.sent('notifications/cancelled').length === 1);
  }
  assert.ok(!(await connection.call('test_tool_with_progress')).isError);
  const answers = connection.messages.filter(({ id, method }) => id === first.body.id && !method);
  assert.deepEqual(answers, [], 'a cancelled call is not answered');

  // A client that takes the end without an answer for a lost connection comes back for the rest; it must not do so for ever.
  const gets = () => connection.requests.filter(({ method }) => method === 'GET').length;
  const before = gets();
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.ok(gets() - before <= 2, `${gets() - before} streams were opened within 4 s after the cancellation`);
}

/** There are more than fit on a page: asked for by cursor, and by the SDK, which turns the pages by itself if its dialect keeps lists. */
async function listsResources(t, open) {
  const connection = await open();
  const resources = await pages(connection, 'resources/list', 'resources', oneSchemas.ListResourcesResultSchema);
  const uris = resources.map(({ uri }) => uri);
  assert.ok(uris.includes('test://static-text') && uris.includes('test://static-binary'), uris.join());
  assert.ok(uris.includes('test://page/120'), 'the last stands on the second page');
  assert.equal(new Set(uris).size, uris.length);
  const cursors = connection.sent('resources/list').map(({ body }) => body.params.cursor);
  assert.deepEqual(cursors, [undefined, '100']);
  const { resources: first, nextCursor } = await connection.client.listResources();
  assert.deepEqual(
    first.map(({ uri }) => uri),
    uris.slice(0, nextCursor ? 100 : uris.length),
  );
  if (nextCursor) {
    const { resources: rest, nextCursor: none } = await connection.client.listResources({ cursor: nextCursor });
    assert.deepEqual([rest.map(({ uri }) => uri), none], [uris.slice(100), undefined]);
  }
  await refused(connection.ask('resources/list', { cursor: '5000' }, oneSchemas.ListResourcesResultSchema), -32602);
}

async function textResource(t, open) {
  const { contents } = await (await open()).client.readResource({ uri: 'test://static-text' });
  assert.equal(contents.length, 1);
  assert.deepEqual([contents[0].uri, contents[0].mimeType], ['test://static-text', 'text/plain']);
  assert.ok(contents[0].text);
}

async function binaryResource(t, open) {
  const { contents } = await (await open()).client.readResource({ uri: 'test://static-binary' });
  assert.deepEqual([contents[0].uri, contents[0].mimeType], ['test://static-binary', 'image/png']);
  assert.ok(isPng(contents[0].blob));
}

async function templateResource(t, open) {
  const connection = await open();
  const { resourceTemplates } = await connection.client.listResourceTemplates();
  const { uriTemplate } = resourceTemplates.find((one) => one.uriTemplate === 'test://template/{id}/data');
  const { contents } = await connection.client.readResource({ uri: uriTemplate.replace('{id}', '123') });
  assert.equal(contents[0].uri, 'test://template/123/data');
  assert.deepEqual(JSON.parse(contents[0].text), { id: '123', templateTest: true, data: 'Data for ID: 123' });
}

async function missingResource(t, open, way) {
  const uri = 'test://no-such-resource';
  const connection = await open();
  const code = isStateless(way) ? -32602 : -32002;
  // SDK 2 gives its program one code for it, whatever the dialect.
  const error = await refused(connection.client.readResource({ uri }), way.sdk === 2 ? -32602 : code);
  assert.equal(error.data.uri, uri);
  assert.equal(connection.messages.at(-1).error.code, code);
}

/** Word of what is watched comes, and of nothing else; after the end, none. */
async function watches(t, open, way) {
  const connection = await open();
  const { client } = connection;
  await connection.unaskedStream();
  const heard = connection.hear('notifications/resources/updated');
  const [watched, other] = ['test://watched-resource', 'test://static-text'];
  const change = (uri) => connection.call('test_trigger_resource_update', { uri });
  const hears = async (uri) => {
    await until(`word of ${uri}`, 5, () => heard.length);
    assert.deepEqual(heard.splice(0).map((word) => word.uri), [uri]);
  };
  const watch = async (uri) => {
    if (isStateless(way)) return client.listen({ resourceSubscriptions: [uri] }, { timeout: 10_000 });
    assert.deepEqual(await client.subscribeResource({ uri }), {});
    return { close: async () => assert.deepEqual(await client.unsubscribeResource({ uri }), {}) };
  };
  const watching = await watch(watched);
  await change(other);
  await change(watched);
  await hears(watched);
  await watching.close();
  await watch(other);
  await change(watched);
  await change(other);
  await hears(other);
}

async function listsPrompts(t, open) {
  const prompts = await pages(await open(), 'prompts/list', 'prompts', oneSchemas.ListPromptsResultSchema);
  const wanted = prompts.find(({ name }) => name === 'test_prompt_with_arguments');
  assert.deepEqual(
    wanted.arguments.map(({ name }) => name),
    ['arg1', 'arg2'],
  );
}

async function prompt(t, open) {
  const { messages } = await (await open()).client.getPrompt({ name: 'test_simple_prompt' });
  assert.deepEqual(messages, [{ role: 'user', content: { type: 'text', text: 'This is a simple prompt for testing.' } }]);
}

async function promptWithArguments(t, open) {
  const filled = { name: 'test_prompt_with_arguments', arguments: { arg1: 'one', arg2: 'two' } };
  const { messages } = await (await open()).client.getPrompt(filled);
  assert.match(messages[0].content.text, /one.*two/);
}

async function promptWithResource(t, open) {
  const filled = { name: 'test_prompt_with_embedded_resource', arguments: { resourceUri: 'test://example-resource' } };
  const { messages } = await (await open()).client.getPrompt(filled);
  const { resource } = messages.find(({ content }) => content.type === 'resource').content;
  assert.equal(resource.uri, 'test://example-resource');
}

async function promptWithImage(t, open) {
  const { messages } = await (await open()).client.getPrompt({ name: 'test_prompt_with_image' });
  const { content } = messages.find((message) => message.content.type === 'image');
  assert.equal(content.mimeType, 'image/png');
  assert.ok(isPng(content.data));
}

async function completes(t, open) {
  const ref = { type: 'ref/prompt', name: 'test_prompt_with_arguments' };
  const { completion } = await (await open()).client.complete({ ref, argument: { name: 'arg1', value: 'test' } });
  assert.ok(Array.isArray(completion.values));
  assert.ok(completion.values.every((value) => value.startsWith('test')), completion.values.join());
}

async function accepts(t, open, way) {
  const asked = [];
  const connection = await open({ answers: { 'elicitation/create': (params) => asked.push(params) && form } });
  const result = await connection.call('test_elicitation', { message: 'Who are you?' });
  assert.match(textOf(result), /User response: .*accept/s);
  assert.match(textOf(result), /ada@example\.org/);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].message, 'Who are you?');
  assert.deepEqual(Object.keys(asked[0].requestedSchema.properties).sort(), ['email', 'username']);
  travelled(connection, way, 'elicitation/create');
}

async function declines(t, open) {
  const connection = await open({ answers: { 'elicitation/create': () => ({ action: 'decline' }) } });
  const result = await connection.call('test_elicitation', { message: 'Who are you?' });
  assert.match(textOf(result), /decline/);
}

/** A client that cannot ask its user is not asked: the model is told, or the call refused, and neither hangs. */
async function cannotElicit(t, open) {
  const connection = await open();
  const outcome = await connection.call('test_elicitation', { message: 'Who are you?' }).catch((error) => error);
  assert.ok(outcome.isError || outcome.code === -32021, JSON.stringify(outcome));
  assert.ok(!connection.messages.some(({ method }) => method === 'elicitation/create'));
}

async function samples(t, open, way) {
  const asked = [];
  const answer = { role: 'assistant', content: { type: 'text', text: 'Paris' }, model: 'm' };
  const connection = await open({ answers: { 'sampling/createMessage': (params) => asked.push(params) && answer } });
  const result = await connection.call('test_sampling', { prompt: 'The capital of France?' });
  assert.equal(textOf(result), 'LLM response: Paris');
  assert.equal(asked[0].maxTokens, 100);
  assert.match(JSON.stringify(asked[0].messages), /The capital of France\?/);
  travelled(connection, way, 'sampling/createMessage');
}

async function roots(t, open, way) {
  const answer = { roots: [{ uri: 'file:///home/ada', name: 'ada' }] };
  const connection = await open({ answers: { 'roots/list': () => answer } });
  const result = await connection.call('test_input_required_result_list_roots');
  assert.ok(!result.isError, textOf(result));
  travelled(connection, way, 'roots/list');
  if (!isStateless(way)) await connection.client.sendRootsListChanged();
}

async function asksAtOnce(t, open, way) {
  const connection = await open({ answers: everyAnswer() });
  const result = await connection.call('test_input_required_result_multiple_inputs');
  assert.equal(textOf(result), 'ada, Paris, file:///home/ada');
  // All three questions go into one result.
  assert.equal(connection.sent('tools/call').length, isStateless(way) ? 2 : 1);
}

async function asksInTurn(t, open, way) {
  const connection = await open({ answers: everyAnswer() });
  assert.equal(textOf(await connection.call('test_input_required_result_multi_round')), 'ada likes blue');
  const calls = connection.sent('tools/call');
  assert.equal(calls.length, isStateless(way) ? 3 : 1);
  assert.equal(new Set(calls.map(({ body }) => body.params.requestState)).size, calls.length, 'the state of each round is its own');
}

async function promptAsks(t, open, way) {
  const connection = await open({ answers: everyAnswer() });
  const { messages } = await connection.client.getPrompt({ name: 'test_input_required_result_prompt' });
  assert.ok(messages.length);
  assert.equal(connection.sent('prompts/get').length, isStateless(way) ? 2 : 1);
}

/** In the handshake dialect the model is told; in the stateless one the call is refused, and the code says why. */
async function lacksCapability(t, open, way) {
  const connection = await open();
  if (!isStateless(way)) {
    assert.equal((await connection.call('test_missing_capability')).isError, true);
    return;
  }
  const error = await connection.call('test_missing_capability').catch((error) => error);
  assert.match(JSON.stringify([error.code, error.data]), /-32021/);
  assert.match(JSON.stringify(error.data), /"requiredCapabilities":\{"sampling":\{\}\}/);
}

/** The SDK repeats marked arguments in headers, in base64 where they are no plain text; perchd compares. */
async function headers(t, open) {
  const connection = await open();
  await connection.client.listTools();
  for (const region of ['eu', 'Zürich', ' padded ']) {
    assert.equal(textOf(await connection.call('test_x_mcp_header', { region, priority: 1 })), `Region: ${region}`);
  }
  assert.ok(connection.sent('tools/call').every(({ headers }) => headers.get('mcp-param-region') && headers.get('mcp-param-priority') === '1'));
}

/** Over /mcp in the handshake dialect the server may end the connection, and the SDK comes back; elsewhere there is nothing to end. */
async function comesBack(t, open, way) {
  const connection = await open();
  assert.match(textOf(await connection.call('test_reconnection')), /Reconnection test completed successfully/);
  const back = connection.requests.filter(({ method, headers }) => method === 'GET' && headers.get('last-event-id'));
  assert.equal(back.length, way.path === '/mcp' && !isStateless(way) ? 1 : 0);
}

async function toolsChange(t, open) {
  await changes(open, 'tools', 'test_trigger_tool_change');
}

async function promptsChange(t, open) {
  await changes(open, 'prompts', 'test_trigger_prompt_change');
}

/** The SDK fetches the list anew by itself when it hears that it has changed. */
async function changes(open, kind, trigger) {
  const fetched = [];
  const listChanged = { [kind]: { onChanged: (error, list) => void fetched.push(error ?? list), debounceMs: 20 } };
  const connection = await open({ client: { listChanged } });
  await connection.unaskedStream();
  await connection.call(trigger);
  await until(`word that the ${kind} have changed`, 5, () => fetched.length);
  assert.ok(Array.isArray(fetched[0]) && fetched[0].length, String(fetched[0]));
}

/** What a client answers that can do everything; a form is filled in field by field. */
function everyAnswer() {
  const words = { name: 'ada', color: 'blue' };
  const filled = ({ requestedSchema }) =>
    Object.fromEntries(Object.keys(requestedSchema.properties).map((field) => [field, words[field] ?? 'something']));
  return {
    'elicitation/create': (params) => ({ action: 'accept', content: filled(params) }),
    'sampling/createMessage': () => ({ role: 'assistant', content: { type: 'text', text: 'Paris' }, model: 'm' }),
    'roots/list': () => ({ roots: [{ uri: 'file:///home/ada', name: 'ada' }] }),
  };
}

const form = { action: 'accept', content: { username: 'ada', email: 'ada@example.org' } };

/** A question of the server is a request of its own in the handshake dialect, and part of a result in the stateless one. */
function travelled(connection, way, method) {
  const asked = connection.messages.filter((message) => message.method === method).length;
  assert.equal(asked, isStateless(way) ? 0 : 1);
  assert.equal(connection.sent('tools/call').length, isStateless(way) ? 2 : 1);
}

/** All items of a list, asked for page by page. */
async function pages(connection, method, key, schema) {
  const items = [];
  const deadline = Date.now() + 20_000;
  for (let cursor; ; ) {
    const page = await connection.ask(method, cursor ? { cursor } : {}, schema);
    items.push(...page[key]);
    cursor = page.nextCursor;
    if (!cursor) return items;
    assert.ok(Date.now() < deadline, `${method} ends`);
  }
}

async function refused(promise, code) {
  const error = await promise.then(
    (result) => assert.fail(`answered: ${JSON.stringify(result)}`),
    (error) => error,
  );
  assert.equal(codeOf(error), code, String(error));
  return error;
}

function isPng(base64) {
  return Buffer.from(base64, 'base64').toString('latin1', 1, 4) === 'PNG';
}
