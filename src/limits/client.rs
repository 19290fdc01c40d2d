//! perchd as a client.

use super::COMMAND_SECS;

/// The longest address of a server, of one of its endpoints, or of a sign-in page with all that it carries.
pub const URL_BYTES: usize = 8 * 1024;
/// The largest head of an answer, and how many headers it may have.
pub const ANSWER_HEAD: (usize, usize) = (32 * 1024, 64);
/// The largest document of a sign-in, such as metadata or tokens.
pub const DOCUMENT_BYTES: usize = 256 * 1024;
/// The largest message that the bridge passes on, in either direction, and the largest event of a stream. A photo in base64
/// fits; the client would choke on more.
pub const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// The longest id of an event, or of a session: they go back in a header.
pub const EVENT_ID_BYTES: usize = 1024;
/// A connection must stand after this time, its TLS included.
pub const CONNECT_SECS: u64 = 10;
/// A step of the doctor must be over after this time, or it is the one that is broken.
pub const STEP_SECS: u64 = CONNECT_SECS;
/// The clocks of a board and of its client may differ by so much.
pub const SKEW_SECS: u64 = 300;
/// A document of a sign-in must be here after this time. A board may hash a password meanwhile.
pub const DOCUMENT_SECS: u64 = 30;
/// The answer to a message must have begun after this time: no tool takes longer ([`COMMAND_SECS`]).
pub const ANSWER_SECS: u64 = COMMAND_SECS;
/// Idle connections that are kept for the next request.
pub const IDLE_CONNECTIONS: usize = 4;
/// And for how long: less than a server keeps them ([`HEAD_SECS`](super::HEAD_SECS)), so that no request meets a door that is closing.
pub const IDLE_SECS: u64 = 15;
/// Requests of a client that wait for their answers; one more is answered with an error.
pub const FLIGHTS: usize = 128;
/// Tools of which a bridge knows the arguments that go into headers. Of one more it does not, and the server refuses its calls.
pub const MARKED_TOOLS: usize = 256;
/// Pages of a list of tools that a bridge asks for by itself: a server could go on for ever.
pub const LIST_PAGES: usize = 16;
/// Messages of a client that wait to be sent. When full, the client is not read from.
pub const LINES: usize = 64;
/// How long a request waits for a server that is gone, where nothing else is said. The TypeScript SDK gives up after 60 s, and
/// then nobody reads the words.
pub const PATIENCE_SECS: u64 = 45;
/// Between two tries, at first and at last, in milliseconds.
pub const BACKOFF_MS: (u64, u64) = (250, 30_000);
/// After its client has gone, the bridge waits so long for the answers that are under way.
pub const FAREWELL_SECS: u64 = 60;
/// And so long for the server to take word of it.
pub const GOODBYE_SECS: u64 = 2;
/// A person must have signed in after this time.
pub const SIGN_IN_SECS: u64 = 600;
/// Connections at once to the address where a browser brings the code. Browsers open some that they never use.
pub const CALLBACK_CONNECTIONS: usize = 16;
/// An access token that has less time left is renewed before it is used.
pub const RENEW_SECS: u64 = 60;
/// What is kept of one server: a registration and its tokens.
pub const KEPT_BYTES: usize = 64 * 1024;
