// Loaded into a client by NODE_OPTIONS: writes down each HTTP request that it sends, without touching it.
import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';

subscribe('undici:request:create', ({ request }) => {
  const path = new URL(request.path, request.origin).pathname;
  appendFileSync(process.env.WIRE_LOG, `${request.method} ${path}\n`);
});
