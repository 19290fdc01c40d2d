//! What the pages show of what came before.

/// A page of ours has no more bytes than this, whatever others have called themselves: it is read by telephones, on a board's network.
/// What has no room in a list is counted.
pub const PAGE_BYTES: usize = 20_000;
/// What the list of clients has of them at most, so that the other lists have some as well.
pub const CLIENTS_BYTES: usize = 7000;
/// The same for the last calls.
pub const CALLS_BYTES: usize = 2500;
/// Clients that the owner's page knows. When full, the one that was heard of longest ago is forgotten: a board has one or two, a
/// gateway some ten, and the page has 20 KB.
pub const SEEN: usize = 16;
/// Calls that the pages show; older ones are forgotten.
pub const CALLS_SHOWN: usize = 10;
/// Events of the audit that the owner's page shows; older ones are forgotten. Of a kind that strangers bring about, only the last
/// is among them, with how many there were.
pub const TAIL: usize = 24;
/// How much of one event is kept, in characters.
pub const TAIL_BYTES: usize = 240;
/// Home pages that are told at the same time how the board is; one more shows how it was when it was loaded.
pub const VIEWERS: usize = 8;
/// How often they are told.
pub const VIEW_SECS: u64 = 5;
/// A reading of the thermometer is shown for so long, whoever asks: it takes a Pi some milliseconds.
pub const HEAT_MS: u64 = 4000;
