//! Every number that bounds something, each with its reason. Whatever a stranger can make grow stops here.

mod client;
mod files;
mod shown;

pub use client::*;
pub use files::*;
pub use shown::*;

/// 2026-11-23: no clock is right that says an earlier time. Raised with each release.
pub const BUILD_UNIX_SECS: u64 = 1_795_392_000;

// ── connections ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Open sockets, where the owner says nothing. A Pi Zero holds them in 4 MB; one more is answered 503 and closed.
pub const CONNECTIONS: usize = 320;
/// The most that he may say: a small server that stands before many boards.
pub const CONNECTIONS_MAX: usize = 4096;
/// Files that stay free for tools, commands and the state, where the system lets the process open only so many.
pub const FILES_SPARED: usize = 24;
/// Open event streams, where the owner says nothing. mcp-remote holds two or three; one more is answered 503.
pub const STREAMS: usize = 256;
/// The most that he may say. Each takes a connection, and a kilobyte; over TLS, twelve.
pub const STREAMS_MAX: usize = 4096;
/// A request's head must be here after this time, and an idle connection is closed after it.
pub const HEAD_SECS: u64 = 20;
/// The largest head, where the owner says nothing. Tokens and sessions together take 1 KiB; hyper answers 431 beyond.
pub const HEAD_BYTES: usize = 16 * 1024;
/// The least that he may say: hyper takes no less.
pub const HEAD_BYTES_MIN: usize = 8 * 1024;
/// The most that he may say: a proxy adds to a head, but not so much.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A request's body must be here after this time.
pub const BODY_SECS: u64 = 20;
/// A peer that takes nothing for this long is dropped, whether it reads an answer or a stream.
pub const WRITE_SECS: u64 = 20;
/// As much of an answer goes into hyper's buffer at once, which stays as large as long as its connection.
pub const PART_BYTES: usize = 16 * 1024;
/// The largest MCP message, with or without Content-Length, where the owner says nothing.
pub const BODY_BYTES: usize = 1024 * 1024;
/// The least that he may say: what clients say of themselves must go in.
pub const BODY_BYTES_MIN: usize = 8 * 1024;
/// The most that he may say. Only who has signed in can send one, but he can send several.
pub const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// TLS handshakes under way. When full, the oldest is cut off of the address that has the most: an honest one takes
/// milliseconds, and whoever opens many and leaves them there pushes out his own.
pub const HANDSHAKES: usize = 32;
/// A TLS handshake must be done after this time.
pub const HANDSHAKE_SECS: u64 = 10;
/// What TLS holds back for a peer that does not read: little more than one record.
pub const TLS_BUFFER_BYTES: usize = 32 * 1024;
/// Names and addresses in a certificate of ours. A board has five to ten; more are left out.
pub const CERTIFICATE_NAMES: usize = 64;
/// How often the board looks whether its certificate is still good and has all of its addresses.
pub const CERTIFICATE_SECS: u64 = 60;
/// How much of a body that is too large is still read, so that its sender gets to see the answer.
pub const DRAIN_BYTES: usize = 8 * 1024 * 1024;
/// And for how long.
pub const DRAIN_BODY_SECS: u64 = 2;
/// The largest body of an OAuth request; the longest real one is under 4 KiB.
pub const FORM_BYTES: usize = 8 * 1024;
/// The longest query string of `/authorize`; 2 KiB of it may be the client's `state`.
pub const QUERY_BYTES: usize = 8 * 1024;
/// A comment on each idle stream: clients and proxies cut what is silent for 60 to 300 s.
pub const KEEP_ALIVE_SECS: u64 = 20;
/// What waits for a reader of a stream, where the owner says nothing; one that falls further behind is cut off.
pub const OUTBOX_BYTES: usize = 256 * 1024;
/// The least that he may say: a list of tools is 30 KB.
pub const OUTBOX_BYTES_MIN: usize = 32 * 1024;
/// The most that he may say.
pub const OUTBOX_BYTES_MAX: usize = 4 * 1024 * 1024;
/// After SIGTERM, who has a connection may still send the request that was on its way, and gets its answer.
pub const LAST_CALL_MS: u64 = 500;
/// After SIGTERM, what is still going on is cut off.
pub const DRAIN_SECS: u64 = 5;

// ── commands for the server that runs ──────────────────────────────────────────────────────────────────────────────

/// A request on the control socket, and its answer: the longest holds a token and the path of the state folder.
pub const CONTROL_BYTES: usize = 16 * 1024;
/// A request on the control socket must be here after this time: one is served after the other.
pub const CONTROL_SECS: u64 = 2;

// ── MCP ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Arrays and objects that lie in one another in a message; serde reads 127 of them where it makes values.
pub const JSON_DEPTH: usize = 256;
/// The longest JSON-RPC id as text. Real ones are numbers or UUIDs.
pub const ID_BYTES: usize = 128;
/// Things on one page of a list. Boards have fewer tools; a page of them is some 30 KB.
pub const PAGE: usize = 100;
/// Completions that one answer shows (MCP 2025-11-25, server/utilities/completion).
pub const COMPLETIONS: usize = 100;
/// Answers that clients can come back for. When full, the oldest complete one is forgotten; where none is complete, the next
/// ones go out without ids, and cannot be come back for.
pub const REPLAYS: usize = 16;
/// Rounds of keep-alive after which such an answer is forgotten, once it is complete: a minute.
pub const REPLAY_ROUNDS: u32 = 3;
/// Resources that all sessions together watch. When full, the oldest watch is forgotten.
pub const WATCHES: usize = 512;
/// Resources that one session watches. When full, its oldest watch is forgotten.
pub const WATCHED: usize = 32;
/// Questions to clients that are open at once; one more fails at once.
pub const ASKS: usize = 32;
/// The longest `requestState`: the answers of earlier rounds travel in it.
pub const STATE_TOKEN_BYTES: usize = 8 * 1024;
/// How long a client may take to come back with the answers of its user.
pub const INPUT_SECS: u64 = 600;
/// For how long clients of the stateless dialect may keep a list, in milliseconds.
pub const LIST_TTL_MS: u64 = 60_000;
/// Messages in one batch (MCP 2025-03-26). No client that we know sends any.
pub const BATCH: usize = 32;
/// Where the buffer of a reply starts; most fit without growing.
pub const REPLY_BYTES: usize = 256;
/// Calls that run at once, over all callers, where the owner says nothing; one more gets a tool error.
pub const CALLS: usize = 64;
/// The most that he may say.
pub const CALLS_MAX: usize = 256;
/// A tool without a deadline of its own gets this one. Claude gives up after 300 s.
pub const CALL_SECS: u64 = 60;
/// A session of Streamable HTTP, from its beginning. Clients initialize anew after it.
pub const SESSION_SECS: u64 = 30 * 24 * 3600;
/// Sessions that were ended by DELETE, and log levels of others, that are remembered where the owner says nothing. When full,
/// the oldest is forgotten: a session is no proof of anything, so that one which comes back to life does no harm.
pub const SESSIONS: usize = 256;
/// The most that he may say: each request looks at all of them.
pub const SESSIONS_MAX: usize = 1024;
/// Tasks that are kept at once, the finished ones included. When full, the oldest that was cancelled is forgotten; where
/// there is none, a call that must be a task is refused, and one that may be is answered like any other.
pub const TASKS: usize = 256;
/// And those of one person.
pub const TASKS_OF_SUBJECT: usize = 128;
/// Tasks whose calls go on: half of [`CALLS`], so that there is room for calls that somebody waits for.
pub const TASKS_RUNNING: usize = 32;
/// The largest result of a task. A larger one makes it fail.
pub const TASK_RESULT_BYTES: usize = 256 * 1024;
/// The results of all tasks together. A result that has no room makes its task fail: others may not have been fetched.
pub const TASK_RESULTS_BYTES: usize = 4 * 1024 * 1024;
/// How long a task is kept at most, from its beginning on, whatever its client wants.
pub const TASK_TTL_MS_MAX: u64 = 24 * 3600 * 1000;
/// And at least: one that is gone before its id arrives helps nobody.
pub const TASK_TTL_MS_MIN: u64 = 1000;
/// How long the result of a task is kept where the client does not say, so that it can be fetched.
pub const TASK_KEEP_MS: u64 = 300_000;
/// How often clients shall ask for a task.
pub const TASK_POLL_MS: u64 = 1000;
/// The longest words about what a task does; longer ones are cut.
pub const TASK_MESSAGE_BYTES: usize = 256;
/// Requests that wait for the end of a task; one more is refused, and may ask for the status instead.
pub const TASK_WAITERS: usize = 64;
/// The longest client name that is kept.
pub const CLIENT_NAME_BYTES: usize = 64;

// ── declared tools ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Tools, resources and prompts that the configuration declares, each. A model chooses badly among more.
pub const DECLARED: usize = 200;
/// Files of `tools.d`.
pub const TOOL_FILES: usize = 100;
/// The longest of them, and the longest configuration.
pub const CONFIG_BYTES: u64 = 1024 * 1024;
/// Arguments of one declared tool, and blanks of one prompt.
pub const ARGUMENTS: usize = 32;
/// Elements of one command line, before lists are spread out.
pub const COMMAND_ELEMENTS: usize = 128;
/// Items of one list that is an argument.
pub const ARGUMENT_ITEMS: usize = 64;
/// The longest text that is an argument, in characters, where the declaration says nothing.
pub const ARGUMENT_CHARS: usize = 4096;
/// One element of a command line with the NUL at its end: Linux takes no more (execve(2), `MAX_ARG_STRLEN`).
pub const ELEMENT_BYTES: usize = 128 * 1024 - 1;
/// All elements of a command line. Linux takes 2 MiB with the environment; a request has half of that.
pub const COMMAND_BYTES: usize = 1024 * 1024;
/// The longest pattern, as it is written.
pub const PATTERN_BYTES: usize = 256;
/// And as it is compiled: a text is held against each part of it, on the one thread that serves everybody.
pub const PATTERN_MEMORY_BYTES: usize = 64 * 1024;
/// The arguments of a call in a line of the audit, which has 4,000 bytes.
pub const AUDIT_ARGUMENTS_BYTES: usize = 2048;
/// How long a line of the audit about what was only read may wait for others, so that they are written at once.
pub const AUDIT_HOLD_MS: u64 = 20;
/// The longest time that a declaration may give a command.
pub const COMMAND_SECS: u64 = 24 * 3600;
/// What a command may print, where the declaration says nothing: more fills the memory of a model, not of the board.
pub const OUTPUT_BYTES: usize = 64 * 1024;
/// The same for an image or another file.
pub const OUTPUT_FILE_BYTES: usize = 1024 * 1024;
/// The most that a declaration may allow.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What all commands that run may print together. Each takes its share before it starts; where there is none left, the call
/// gets a tool error. An answer takes some four times as much while it is written.
pub const OUTPUTS_BYTES: usize = 8 * 1024 * 1024;
/// How much of the end of its stderr is kept of a command.
pub const STDERR_BYTES: usize = 4096;
/// What a command prints beyond its share is thrown away at this pace in KiB for each millisecond: 64 MB a second.
pub const SPILL_KIB: usize = 64;
/// How often one tool may run at once, where the declaration says nothing; one more gets a tool error.
pub const COMMAND_CONCURRENCY: usize = 4;
/// Commands that one subject may start in a minute, whatever the tools; one more gets a tool error.
pub const SUBJECT_COMMANDS: u32 = 240;
/// Subjects whose pace is known. When full, the one that may start the most is forgotten.
pub const SUBJECTS: usize = 64;
/// From SIGTERM to SIGKILL, for a command that is to end.
pub const GRACE_MS: u64 = 3000;
/// For how long what a command leaves behind may go on to print, and for how long SIGKILL may take.
pub const AFTERLIFE_MS: u64 = 500;
/// Between two reports of progress of one command.
pub const PROGRESS_MS: u64 = 100;

// ── approval ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// Plans that wait for a person or for their call. When full, a call that needs one gets a tool error.
pub const PLANS: usize = 16;
/// And those of one subject: an assistant that asks for everything must not keep others from asking.
pub const PLANS_OF_SUBJECT: usize = 8;
/// What a plan would run: nobody checks a longer line before he says yes to it.
pub const PLAN_BYTES: usize = 4096;
/// How long a plan waits for a person; and how long, once it is approved, for the call that runs it.
pub const PLAN_SECS: u64 = 120;
/// A button that is pressed sooner than this was pressed for something else: nobody is so quick.
pub const PLAN_PRESS_MS: u64 = 500;
/// How long a call waits for a person who is on his way. The TypeScript SDK gives a request up after 60 s.
pub const PLAN_WAIT_SECS: u64 = 45;
/// A sign-in to the page where people approve: a working day.
pub const APPROVER_SECS: u64 = 8 * 3600;

// ── services ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// Units in a list of the configuration. They stand in the schema of each tool that takes one.
pub const UNITS: usize = 64;
/// The longest name of a unit, which systemd has as `UNIT_NAME_MAX` with the NUL.
pub const UNIT_NAME_BYTES: usize = 255;
/// Services that one answer lists; a board has 60 to 150 in memory.
pub const SERVICES_LISTED: usize = 200;
/// What `systemctl show` and `journalctl` may print: 200 services of half a kilobyte, or 200 lines of the journal.
pub const SYSTEMD_OUTPUT_BYTES: usize = 256 * 1024;
/// How long looking may take. The journal of an SD card is slow to search.
pub const SYSTEMD_READ_SECS: u64 = 30;
/// How long a start or stop is waited for: a unit has 90 s for each, and a restart is both.
pub const SYSTEMD_CONTROL_SECS: u64 = 200;
/// How often units may be started and stopped in a minute, whoever calls.
pub const SYSTEMD_CONTROLS: u32 = 12;
/// A text that systemd tells of a unit, such as its description.
pub const UNIT_TEXT_BYTES: usize = 512;
/// Entries of the journal that one call may ask for, and how many it gets where it does not say.
pub const JOURNAL_ENTRIES: (u32, u32) = (200, 50);
/// The longest line of `journalctl` that is looked at: it leaves out fields of more than 4 KiB, and writes four characters for a byte.
pub const JOURNAL_LINE_BYTES: usize = 32 * 1024;
/// How much of one message is shown.
pub const JOURNAL_MESSAGE_BYTES: usize = 2048;
/// And of all messages together; older ones are left out.
pub const JOURNAL_MESSAGES_BYTES: usize = 48 * 1024;
/// The longest expression to search the journal for.
pub const JOURNAL_SEARCH_CHARS: usize = 200;

// ── hardware ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// Lines of GPIO chips that the configuration names. A 40-pin header has 28.
pub const GPIO_LINES: usize = 64;
/// The longest name of a line.
pub const GPIO_NAME_BYTES: usize = 32;
/// The longest pulse of a line. A call ends after [`CALL_SECS`], and the end of a pulse must not depend on that.
pub const PULSE_MS: u64 = 30_000;
/// From one word of a line's edges to the next: a button that bounces is one change, and a signal of a megahertz is five a
/// second.
pub const EDGE_MS: u64 = 200;
/// Edges that are taken from the kernel at one time; it keeps 16 of a line and drops the oldest.
pub const EDGES: usize = 16;

/// Devices on I2C buses that the configuration names.
pub const I2C_DEVICES: usize = 16;
/// Registers of one of them. Each is a program that runs, some milliseconds on a Pi Zero.
pub const I2C_REGISTERS: usize = 16;
/// How long one register may take: a device that stretches the clock holds the bus for a second at most.
pub const I2C_SECS: u64 = 3;

// ── OAuth ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The scopes of one token, as text.
pub const SCOPES_BYTES: usize = 256;
/// The longest user name or e-mail address.
pub const SUBJECT_BYTES: usize = 64;
/// People with a password: a household or a workshop. Each attempt looks at all of them.
pub const USERS: usize = 64;
/// The longest token of any kind that is looked at.
pub const TOKEN_BYTES: usize = 1024;
/// Whom a text is sealed for: a client and the longest user name.
pub const HOLDER_BYTES: usize = 8 + 2 + SUBJECT_BYTES;
/// Tokens and sessions that the ring knows to be good: 64 clients have two each, and room not to be in each other's way. A place
/// that is empty takes a pointer, one that is not some 400 bytes more.
pub const PROVED: usize = 256;
/// The keys of a ring: the one that seals and three that still open. A rotation a week leaves tokens three weeks.
pub const RING_KEYS: usize = 4;
/// The longest sealed form of the sign-in and consent pages: it holds the whole request, `state` and redirect URI included.
pub const TRANSACTION_BYTES: usize = 4352;
/// Redirect URIs of one client: mcp-remote has one, Claude Code two.
pub const REDIRECT_URIS: usize = 4;
/// The longest redirect URI.
pub const REDIRECT_URI_BYTES: usize = 512;
/// The longest `state`. It comes back as it was.
pub const STATE_BYTES: usize = 2048;
/// An authorization code. RFC 6749 4.1.2 asks for ten minutes at most.
pub const CODE_SECS: u64 = 60;
/// A sign-in page that was opened must be sent within this time.
pub const LOGIN_SECS: u64 = 600;
/// An access token, where the owner says nothing. mcp-remote refreshes at 60 s left, Claude at five minutes.
pub const ACCESS_SECS: u64 = 3600;
/// The shortest that he may have: with a shorter one, Claude would refresh before each call.
pub const ACCESS_SECS_MIN: u64 = 600;
/// The longest: what has leaked is good for so long, unless somebody revokes it.
pub const ACCESS_SECS_MAX: u64 = PLAIN_ACCESS_SECS;
/// A refresh token, from the sign-in on, where the owner says nothing: then one signs in again.
pub const REFRESH_SECS: u64 = 30 * 24 * 3600;
/// The shortest that he may have: it outlasts its access token.
pub const REFRESH_SECS_MIN: u64 = 3600;
/// The longest: for so long a revocation stays on the list, which has few places.
pub const REFRESH_SECS_MAX: u64 = 90 * 24 * 3600;
/// How long the predecessor of a refresh token still gets its successor: two streams of one client refresh at once.
pub const REFRESH_GRACE_SECS: u64 = 60;
/// Codes and consents that were spent and are not yet out of date. When full, a new one is refused: forgetting one would
/// let it be used again. Only who has signed in can fill it.
pub const SPENT: usize = 256;
/// Grants whose refresh counter is known. When full, the one that was used longest ago is forgotten, and adopted anew.
pub const GRANTS: usize = 512;
/// Grants that were revoked and whose tokens are not yet out of date. When full, everybody signs in again.
pub const DENIED: usize = 256;
/// After a start, a revocation that seems out of date is kept for this long: a clock that is wrong by then is set right.
pub const DENIED_SECS: u64 = 24 * 3600;
/// Users and clients whose tokens were ended all at once. Only the owner adds to them, and they are never out of date; when full,
/// everybody signs in again, and there is room.
pub const MARKS: usize = 64;
/// Devices that wait for somebody to allow what they asked for (RFC 8628). When full, one more is refused for now: 64 people at
/// once are not at home on one board, and each takes half a kilobyte for ten minutes.
pub const DEVICES: usize = 64;
/// A device's code, from its request on: somebody has to find a browser, and a password.
pub const DEVICE_SECS: u64 = 600;
/// How long a device waits before it asks again, and by how much longer when it asks too often (RFC 8628 3.5).
pub const DEVICE_POLL_SECS: u64 = 5;
/// An access token that was given over plain HTTP on a network. There is no refresh token there: whoever reads one has it for a
/// month. So one signs in once a day.
pub const PLAIN_ACCESS_SECS: u64 = 24 * 3600;
/// The longest life of a token that the owner makes by hand, for programs that cannot sign in: a year and a day.
pub const STATIC_SECS: u64 = 366 * 24 * 3600;

// ── who signs in ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Iterations of PBKDF2-HMAC-SHA256, at least: a Pi Zero takes a second for them. A hash with fewer is refused.
pub const PASSWORD_ITERATIONS_MIN: u32 = 100_000;
/// And at most: a hash that takes longer than a person waits keeps everybody else from signing in.
pub const PASSWORD_ITERATIONS_MAX: u32 = 10_000_000;
/// The shortest password that `perchd passwd` takes. The throttle leaves a guesser some four thousand tries a day.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// The longest: nobody types more, and a form holds it.
pub const PASSWORD_BYTES_MAX: usize = 256;
/// How long `perchd passwd` lets one hash take, in milliseconds: nobody minds, and who guesses gets three a second.
pub const PASSWORD_MS: u64 = 300;
/// The longest salt of a password hash; PHC strings have no longer ones.
pub const SALT_BYTES: usize = 48;
/// Sign-ins that wait while a password is hashed, as they are hashed one at a time; one more is answered 503.
pub const HASHES_WAITING: usize = 8;
/// Addresses that a throttle knows. When full, the one that was heard of longest ago is forgotten: the bound for all of
/// them together still holds.
pub const SOURCES: usize = 64;
/// Passwords that one address may try at once, and after how many seconds it gets one more. One that is right is not
/// counted.
pub const PASSWORD_TRIES: (u32, u64) = (5, 20);
/// The same for all addresses together: hashing them takes a tenth of the board's time.
pub const PASSWORD_TRIES_ALL: (u32, u64) = (20, 3);
/// Short codes that one address may try at once, and after how many seconds it gets one more.
pub const CODE_TRIES: (u32, u64) = (5, 20);
/// The same for all addresses together.
pub const CODE_TRIES_ALL: (u32, u64) = (20, 3);
/// Registrations that one address may ask for at once, and after how many seconds it gets one more. They take no memory,
/// but a line of the log each.
pub const REGISTRATIONS: (u32, u64) = (60, 2);
/// The same for all addresses together.
pub const REGISTRATIONS_ALL: (u32, u64) = (240, 1);
/// Devices that one address may let ask at once, and after how many seconds one more: with those that wait already, a
/// quarter of all places.
pub const DEVICE_REQUESTS: (u32, u64) = (8, 75);
/// The same for all addresses together.
pub const DEVICE_REQUESTS_ALL: (u32, u64) = (64, 5);
/// Pairing codes that are good at once. A new one takes the place of the oldest.
pub const PAIRINGS: usize = 4;
/// How long a pairing code is good: long enough to walk from the board to the browser.
pub const PAIRING_SECS: u64 = 300;
/// Wrong codes, by anybody, after which every pairing code that is out is dead. Of the 2^40 codes that is nothing.
pub const PAIRING_TRIES: u8 = 16;
/// Sign-in pages that were answered with no, and are remembered as such. When full, the oldest is forgotten: it takes a
/// sign-in to make anything of it.
pub const REJECTED: usize = 64;
/// Lines of one kind that strangers can put into the audit in a minute; how many more there were is said in one line.
pub const STRANGERS_LINES: u32 = 20;
