// The browser of the README's client commands: given a link, signs in and approves.
import { Person } from './person.mjs';

await new Person().signIn(process.argv[2]);
