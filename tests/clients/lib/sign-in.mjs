// The browser of the README's client commands: given a link, signs in and approves.
import { Person } from './person.mjs';

const link = new URL(process.argv[2]);
const person = new Person();
await (link.pathname === '/device' ? person.allow(link) : person.signIn(link));
