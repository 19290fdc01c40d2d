//! Files that tools read and write.

/// Folders that the owner can list, and hosts that he can have woken, each. A model chooses badly among more.
pub const FOLDERS: usize = 32;
/// The longest path within a folder; Linux takes no more (`PATH_MAX`).
pub const PATH_BYTES: usize = 4095;
/// What one call reads or writes, where the folder says nothing: more fills the memory of a model, not of the board.
pub const FILE_BYTES: usize = 64 * 1024;
/// The most that a folder may say.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;
/// What all calls together read at a time. Each takes its share before it reads; where there is none left, it gets a tool error.
pub const FILES_BYTES: usize = 4 * 1024 * 1024;
/// Entries of a folder in one answer; the next ones are asked for.
pub const FOLDER_ENTRIES: usize = 500;
/// Entries of a folder that are looked at. What is beyond is not listed, and that is said.
pub const FOLDER_NAMES: usize = 10_000;
/// A disk keeps so much free, whatever is written: a full one stops everything else on the board.
pub const DISK_FREE_BYTES: u64 = 16 * 1024 * 1024;
