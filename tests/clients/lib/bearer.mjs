// Puts a token on every request: what cannot carry one itself talks to this instead of the server.
import http from 'node:http';

/** Returns the address to talk to, in place of `base`. */
export async function withToken(t, base, token) {
  const home = new URL(base);
  const proxy = http.createServer((request, response) => {
    const headers = { ...request.headers, authorization: `Bearer ${token}` };
    for (const name of ['host', 'origin']) headers[name] = headers[name]?.replace(new URL(own).host, home.host);
    if (!headers.origin) delete headers.origin;
    const { method, url } = request;
    const onward = http.request(new URL(url, home), { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers).flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close() && proxy.closeAllConnections());
  const own = `http://127.0.0.1:${proxy.address().port}`;
  return own;
}
