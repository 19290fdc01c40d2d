// Who has stolen the key of a board's own CA, and stands for another name with it.
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { folder, Perchd } from './perchd.mjs';
import { until } from './wait.mjs';

/** A server at 127.0.0.1 with a certificate for `name`, by the CA in the folder `state`. */
export async function thief(t, state, name) {
  const own = await folder(t);
  const file = (name) => path.join(own, name);
  const openssl = (...words) => execFileSync('openssl', words, { stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  openssl('req', '-nodes', '-subj', '/CN=thief', ...curve, '-keyout', file('key'), '-out', file('csr'));
  await writeFile(file('extensions'), `basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:${name}\n`);
  const ca = ['-CA', path.join(state, 'ca.pem'), '-CAkey', path.join(state, 'ca.key'), '-set_serial', '9', '-days', '9'];
  openssl('x509', '-req', ...ca, '-in', file('csr'), '-out', file('certificate'), '-extfile', file('extensions'));
  const tls = `[tls]\ncertificate = "${file('certificate')}"\nkey = "${file('key')}"\n`;
  const config = file('perchd.toml');
  await writeFile(config, `names = ["${name}"]\n${tls}`);
  const server = await Perchd.start(t, { config });
  await until('the greeting of perchd', 20, () => server.program.stdout.includes('Open http'));
  return server;
}
