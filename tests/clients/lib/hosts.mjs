// Names that a network would know, without /etc/hosts: loaded into a client by NODE_OPTIONS, or imported by a test.
import dns from 'node:dns';

const known = new Map(Object.entries(JSON.parse(process.env.HOSTS ?? '{}')));
const { lookup } = dns;

/** From now on this process finds `name` at `address`. */
export function know(name, address) {
  known.set(name, address);
}

dns.lookup = function (name, options, done) {
  if (!known.has(name)) return lookup.apply(this, arguments);
  const answer = done ?? options;
  const address = known.get(name);
  process.nextTick(() => (options?.all ? answer(null, [{ address, family: 4 }]) : answer(null, address, 4)));
};
