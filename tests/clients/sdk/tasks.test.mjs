// Calls whose results are fetched later. SDK 1 does that by itself, over either transport; SDK 2 does not, and must not be disturbed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Perchd } from '../lib/perchd.mjs';
import { until } from '../lib/wait.mjs';
import { Connection, FIXTURES, isStateless, oneSchemas, textOf, WAYS } from './ways.mjs';

const timeout = 60_000;
const EXTENSION = { 'io.modelcontextprotocol/tasks': {} };
const ELICIT = { 'elicitation/create': () => ({ action: 'accept', content: { confirm: true } }) };

for (const way of WAYS.filter(({ sdk }) => sdk === 1)) {
  test(`${way.name}: tasks`, { timeout: 5 * timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const open = (t, options) => Connection.open(t, server, way, options);

    await t.test('a call is begun, watched and its result fetched', { timeout }, async (t) => {
      const { client } = await open(t);
      assert.deepEqual(client.getServerCapabilities().tasks, { list: {}, cancel: {}, requests: { tools: { call: {} } } });
      const said = await stream(client, 'slow_compute', { seconds: 0.3 }, { task: { ttl: 60_000 } });
      assert.equal(said[0].type, 'taskCreated');
      assert.deepEqual([said[0].task.status, said[0].task.ttl], ['working', 60_000]);
      assert.equal(said.find(({ type }) => type === 'taskStatus').task.statusMessage, 'computing');
      const { type, result } = said.at(-1);
      assert.equal(type, 'result');
      assert.equal(textOf(result), 'Computed something in 0.3 s');
      assert.equal(result._meta['io.modelcontextprotocol/related-task'].taskId, said[0].task.taskId);
    });

    await t.test('the SDK sees in the list which tools must be tasks', { timeout }, async (t) => {
      const { client } = await open(t);
      await client.listTools();
      const said = await stream(client, 'failing_job');
      assert.deepEqual([said[0].type, said.at(-1).type], ['taskCreated', 'error']);
      const { taskId } = said[0].task;
      const result = await client.experimental.tasks.getTaskResult(taskId, oneSchemas.CallToolResultSchema);
      assert.deepEqual([result.isError, textOf(result)], [true, 'The job has failed, as it always does']);
      assert.match((await client.experimental.tasks.getTask(taskId)).statusMessage, /has failed/);
    });

    await t.test('a tool that must be a task, or must not, is refused otherwise', { timeout }, async (t) => {
      const connection = await open(t);
      await assert.rejects(connection.call('failing_job'), { code: -32601 });
      const said = await stream(connection.client, 'greet', { name: 'Ada' }, { task: {} });
      assert.equal(said.at(-1).error.code, -32601);
    });

    await t.test('a task is listed, cancelled, and stays so', { timeout }, async (t) => {
      const { client } = await open(t);
      const { tasks } = client.experimental;
      const { value } = await client.experimental.tasks
        .callToolStream({ name: 'slow_compute', arguments: { seconds: 60 } }, undefined, { task: {} })
        .next();
      const { taskId } = value.task;
      const listed = await tasks.listTasks();
      assert.equal(listed.tasks.find((task) => task.taskId === taskId).status, 'working');
      assert.equal((await tasks.cancelTask(taskId)).status, 'cancelled');
      await assert.rejects(tasks.cancelTask(taskId), { code: -32602 });
      assert.equal((await tasks.getTask(taskId)).status, 'cancelled');
    });

    await t.test('a task asks the user', { timeout }, async (t) => {
      const { client } = await open(t, { answers: ELICIT });
      const said = await stream(client, 'confirm_delete', { filename: 'x.txt' }, { task: {} });
      assert.equal(said.at(-1).type, 'result', JSON.stringify(said.at(-1)));
      assert.equal(textOf(said.at(-1).result), 'x.txt is gone');
      // Over /sse there is one way to the client, so that it is asked before it comes back to see.
      if (way.path === '/mcp') assert.ok(said.some(({ task }) => task?.status === 'input_required'));
    });

    await t.test('word of a status comes unasked', { timeout }, async (t) => {
      const connection = await open(t);
      await connection.unaskedStream();
      const heard = [];
      connection.client.setNotificationHandler(oneSchemas.TaskStatusNotificationSchema, ({ params }) => void heard.push(params));
      const said = await stream(connection.client, 'slow_compute', { seconds: 0.1 }, { task: {} });
      const { taskId } = said[0].task;
      await until('word of its end', 5, () => heard.some((task) => task.taskId === taskId && task.status === 'completed'));
    });
  });
}

for (const way of WAYS.filter((way) => way.sdk === 2 && isStateless(way))) {
  test(`${way.name}: a call is a task for who declares that, and for nobody else`, { timeout }, async (t) => {
    const server = await Perchd.start(t, FIXTURES);
    const without = await Connection.open(t, server, way);
    assert.equal(textOf(await without.call('slow_compute', { seconds: 0.1 })), 'Computed something in 0.1 s');
    const declared = await Connection.open(t, server, way, { client: { capabilities: { extensions: EXTENSION } } });
    assert.deepEqual(declared.client.getServerCapabilities().extensions, EXTENSION);
    // SDK 2.4 knows that there are such results, and what to do with none of them.
    await assert.rejects(declared.call('slow_compute', { seconds: 0.1 }), (error) => error.data?.resultType === 'task');
  });
}

/** All that SDK 1 says of a call. */
async function stream(client, name, args = {}, options = {}) {
  const said = [];
  const messages = client.experimental.tasks.callToolStream({ name, arguments: args }, undefined, { timeout: 10_000, ...options });
  for await (const message of messages) said.push(message);
  return said;
}
