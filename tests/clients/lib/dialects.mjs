// Which dialects perchd is expected to speak. While the stateless one (2026-07-28) is not there, the tests show that a client that
// insists on it is refused in words; they go red when it comes, and whoever brings it sets this to true.
export const STATELESS = false;
