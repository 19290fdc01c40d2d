// What becomes of a client when its session ends, its stream ends, or the server goes away and comes back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd } from '../lib/perchd.mjs';
import { until, within } from '../lib/wait.mjs';
import { codeOf, Connection, FIXTURES, isStateless, textOf, WAYS } from './ways.mjs';

const timeout = 120_000;
const over = (path, keep = () => true) => WAYS.filter((way) => way.path === path && keep(way));

for (const way of over('/mcp', (way) => !isStateless(way))) {
  test(`${way.name}: a session that was ended is unknown, and a new one is had`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    const session = connection.transport.sessionId;
    assert.ok(session);
    await connection.transport.terminateSession();
    assert.deepEqual(
      connection.requests.filter(({ method }) => method === 'DELETE').map(({ status }) => Math.floor(status / 100)),
      [2],
    );
    assert.equal(connection.transport.sessionId, undefined);

    // An id that is given to the SDK is used without a handshake.
    const stale = await Connection.open(t, server, way, { session });
    assert.equal(codeOf(await failing(stale.call('test_simple_text'))), 404);

    await answers(await Connection.open(t, server, way));
  });

  test(`${way.name}: a session outlives a restart of the server`, { timeout }, async (t) => {
    const server = await Perchd.start(t, { auth: 'open' });
    const connection = await Connection.open(t, server, way);
    const adds = async () => assert.equal(textOf(await connection.call('add', { a: 2, b: 3 })), '5');
    await adds();
    await server.restart(t);
    await adds();
  });

  // Neither SDK opens a session by itself after a 404: the program that uses it does.
  test(`${way.name}: a session is unknown to a server that has lost its keys, and a new one is had`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    await answers(connection);
    await server.restart(t);
    assert.equal(codeOf(await failing(connection.call('test_simple_text'))), 404);
    await answers(await Connection.open(t, server, way));
  });
}

// Both SDKs come back to /sse by themselves, some seconds later and without a new handshake. They name the revision that was agreed
// on, and the server goes by that: structured output is of 2025-06-18 and later, and an SDK throws where it is missing. What the client
// can do is forgotten, and so the model is told that it cannot be asked.
for (const way of over('/sse')) {
  test(`${way.name}: a restart of the server is survived by the client that has it`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const answer = { action: 'accept', content: { username: 'ada', email: 'ada@example.org' } };
    const connection = await Connection.open(t, server, way, { answers: { 'elicitation/create': () => answer } });
    await connection.client.listTools();
    await answers(connection);
    const asks = () => connection.call('test_elicitation', { message: 'Who are you?' });
    assert.match(textOf(await asks()), /ada@example\.org/);
    const streams = () => connection.requests.filter(({ method, status }) => method === 'GET' && status === 200).length;
    const before = streams();
    await server.restart(t);
    await until('the SDK to come back', 20, () => streams() > before);
    await until('an answer', 10, () => connection.call('test_simple_text', {}, { timeout: 3000 }).catch(() => {}));
    assert.equal(connection.sent('initialize').length, 1, 'there was no new handshake');
    const again = connection.requests.filter(({ method }) => method === 'GET').at(-1).headers;
    assert.deepEqual([again.get('mcp-protocol-version'), again.get('last-event-id')], [way.speaks, null]);
    assert.deepEqual((await connection.call('test_structured_output')).structuredContent, { celsius: 21.5 });
    const outcome = await asks();
    assert.deepEqual([outcome.isError, textOf(outcome)], [true, 'The client cannot do what this tool asks of it.']);
  });
}

for (const way of over('/mcp', isStateless)) {
  test(`${way.name}: a restart of the server is not noticed`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    await answers(connection);
    await server.restart(t);
    await answers(connection);
    assert.ok(connection.requests.every(({ method }) => method === 'POST'), 'there is no session and no stream to lose');
  });

  test(`${way.name}: what is listened for is heard, and nothing else`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    const tools = connection.hear('notifications/tools/list_changed');
    const prompts = connection.hear('notifications/prompts/list_changed');
    const listening = await connection.client.listen({ promptsListChanged: true }, { timeout: 10_000 });
    assert.deepEqual(listening.honoredFilter, { promptsListChanged: true });
    await connection.call('test_trigger_tool_change');
    await connection.call('test_trigger_prompt_change');
    await until('word that the prompts have changed', 5, () => prompts.length);
    assert.deepEqual(tools, []);
    await listening.close();
    assert.equal(await within('the end of listening', 5, listening.closed), 'local');
    await answers(connection);
  });

  test(`${way.name}: a resource is listened for`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    const uri = 'test://watched-resource';
    const heard = connection.hear('notifications/resources/updated');
    const listening = await connection.client.listen({ resourceSubscriptions: [uri] }, { timeout: 10_000 });
    assert.deepEqual(listening.honoredFilter, { resourceSubscriptions: [uri] });
    await connection.call('test_trigger_resource_update');
    await until('word of the resource', 5, () => heard.length);
    assert.equal(heard[0].uri, uri);
    await listening.close();
  });

  test(`${way.name}: a server that stops ends what is listened to in good order`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const connection = await Connection.open(t, server, way);
    const listening = await connection.client.listen({ toolsListChanged: true }, { timeout: 10_000 });
    await server.program.stop();
    assert.equal(await within('the end of listening', 5, listening.closed), 'graceful');
  });
}

async function answers(connection) {
  const { content } = await connection.call('test_simple_text');
  assert.equal(content[0].text, 'This is a simple text response for testing.');
}

function failing(promise) {
  return promise.then(
    (result) => assert.fail(`answered: ${JSON.stringify(result)}`),
    (error) => error,
  );
}
