// Which dialects perchd is expected to speak: both. Without the stateless one (2026-07-28), the tests would show that a client that
// insists on it is refused in words.
export const STATELESS = true;
