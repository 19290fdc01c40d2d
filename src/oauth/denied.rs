//! What was revoked. Sealed tokens prove themselves, so that a revocation must be remembered until they are out of date:
//! in memory, and in a small file that is written when there is something new.

use crate::limits;
use crate::principal::GrantId;
use crate::seal::Fault;
use crate::world::Now;
use heapless::Vec;
use std::fmt::Write as _;

/// The first line of the file.
const HEADER: &str = "perchd revocations 1";
/// Stands for every token of a grant.
const ALL: u32 = u32::MAX;

/// Grants whose tokens are dead, or some of them.
#[derive(Debug, Default)]
pub(super) struct Denied {
    entries: Vec<Entry, { limits::DENIED }>,
    epoch: u32,
    is_changed: bool,
}

/// A grant has one entry at most, whatever happens to it.
#[derive(Debug)]
struct Entry {
    grant: GrantId,
    /// Access tokens with a counter up to this one are dead; [`ALL`]: refresh tokens as well.
    through: u32,
    until_unix: u64,
    /// The same by uptime, which no step of the clock moves.
    until_ms: u64,
}

impl Denied {
    /// Denies every token of a grant, the last of which ends at `until_unix`. Returns the new epoch if one had to begin.
    pub(super) fn deny(&mut self, now: Now, grant: GrantId, until_unix: u64) -> Option<u32> {
        self.insert(now, grant, ALL, until_unix)
    }

    /// Denies every token of a grant that a newer sign-in has taken the place of, as far as there is room and until the
    /// next start: nobody asked for its end, and a sign-in writes nothing to the disk.
    pub(super) fn supersede(&mut self, now: Now, grant: GrantId, until_unix: u64) {
        if !self.entries.is_full() {
            let is_changed = self.is_changed;
            self.insert(now, grant, ALL, until_unix);
            self.is_changed = is_changed;
        }
    }

    /// Denies the access tokens of a grant with a counter up to `counter`. Returns the new epoch if one had to begin.
    pub(super) fn deny_access(&mut self, now: Now, grant: GrantId, counter: u32, until_unix: u64) -> Option<u32> {
        self.insert(now, grant, counter.min(ALL - 1), until_unix)
    }

    /// Ends every token that there is: a new epoch begins.
    pub(super) fn deny_all(&mut self) -> u32 {
        self.entries.clear();
        self.epoch = self.epoch.saturating_add(1);
        self.is_changed = true;
        self.epoch
    }

    /// Tokens of an epoch before this one are dead.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether an access token is dead.
    pub(super) fn has_access(&self, grant: GrantId, counter: u32) -> bool {
        self.entries.iter().any(|entry| entry.grant == grant && counter <= entry.through)
    }

    /// Whether every token of a grant is dead.
    pub(super) fn has(&self, grant: GrantId) -> bool {
        self.entries.iter().any(|entry| entry.grant == grant && entry.through == ALL)
    }

    /// What to write to the file, if something is new since the last time.
    pub(super) fn text_if_changed(&mut self) -> Option<String> {
        std::mem::take(&mut self.is_changed).then(|| self.to_text())
    }

    /// Reads what was written in an earlier boot.
    pub(super) fn parse(text: &str, now: Now) -> Result<Self, Fault> {
        let mut lines = text.lines().zip(1..);
        if lines.next().map(|(header, _)| header) != Some(HEADER) {
            return Err(Fault { line: 1, what: "this is no list of revocations, or one of a newer perchd" });
        }
        let epoch = lines.next().and_then(|(text, _)| text.strip_prefix("epoch ")?.parse().ok());
        let epoch = epoch.ok_or(Fault { line: 2, what: "the second line is `epoch` and a number" })?;
        let mut denied = Denied { entries: Vec::new(), epoch, is_changed: false };
        for (text, line) in lines {
            let entry = Entry::parse(text, now).ok_or(Fault { line, what: "a revocation is a grant, a number and a time" })?;
            if entry.until_unix > now.unix {
                denied.entries.push(entry).map_err(|_| Fault { line, what: "there are too many revocations" })?;
            }
        }
        Ok(denied)
    }

    fn insert(&mut self, now: Now, grant: GrantId, through: u32, until_unix: u64) -> Option<u32> {
        self.entries.retain(|entry| entry.until_ms > now.uptime_ms);
        let until_ms = uptime_ms_at(now, until_unix);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.grant == grant) {
            self.is_changed |= through > entry.through;
            entry.through = entry.through.max(through);
            entry.until_unix = entry.until_unix.max(until_unix);
            entry.until_ms = entry.until_ms.max(until_ms);
            return None;
        }
        self.is_changed = true;
        // To forget a revocation would undo it, so that a full list ends every token instead.
        self.entries.push(Entry { grant, through, until_unix, until_ms }).err().map(|_| self.deny_all())
    }

    fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nepoch {}\n", self.epoch);
        for entry in &self.entries {
            for byte in entry.grant.0 {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, " {} {}", entry.through, entry.until_unix);
        }
        text
    }
}

impl Entry {
    fn parse(line: &str, now: Now) -> Option<Self> {
        let mut words = line.split(' ');
        let (grant, through, until) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || grant.len() != 32 || !grant.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let grant = GrantId(u128::from_str_radix(grant, 16).ok()?.to_be_bytes());
        let until_unix = until.parse().ok()?;
        Some(Entry { grant, through: through.parse().ok()?, until_unix, until_ms: uptime_ms_at(now, until_unix) })
    }
}

fn uptime_ms_at(now: Now, unix: u64) -> u64 {
    now.uptime_ms.saturating_add(unix.saturating_sub(now.unix).saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { unix: 1_000_000, uptime_ms: 0 };

    fn grant(n: usize) -> GrantId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        GrantId(id)
    }

    #[test]
    fn a_denied_grant_is_denied_until_its_tokens_are_out_of_date() {
        let mut denied = Denied::default();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        assert!(denied.has(grant(1)) && denied.has_access(grant(1), 0) && denied.has_access(grant(1), 7));
        assert!(!denied.has(grant(2)) && !denied.has_access(grant(2), 0));
        // The clock jumps, and nothing is forgotten by it.
        denied.deny(Now { unix: NOW.unix + 5000, uptime_ms: 99_999 }, grant(2), NOW.unix + 9000);
        assert!(denied.has(grant(1)));
        denied.deny(Now { unix: NOW.unix, uptime_ms: 100_000 }, grant(3), NOW.unix + 100);
        assert!(!denied.has(grant(1)));
    }

    #[test]
    fn denied_access_leaves_the_refresh_token_and_later_access_tokens() {
        let mut denied = Denied::default();
        denied.deny_access(NOW, grant(1), 3, NOW.unix + 100);
        assert!(denied.has_access(grant(1), 2) && denied.has_access(grant(1), 3));
        assert!(!denied.has_access(grant(1), 4) && !denied.has(grant(1)));
        denied.deny_access(NOW, grant(1), 1, NOW.unix + 100);
        assert!(denied.has_access(grant(1), 3));
        denied.deny(NOW, grant(1), NOW.unix + 100);
        denied.deny_access(NOW, grant(1), 5, NOW.unix + 100);
        assert!(denied.has(grant(1)));
        assert_eq!(denied.entries.len(), 1);
    }

    #[test]
    fn a_full_list_ends_every_token_instead_of_forgetting_one() {
        let mut denied = Denied::default();
        for n in 0..limits::DENIED {
            assert_eq!(denied.deny(NOW, grant(n), NOW.unix + 100), None);
        }
        assert_eq!((denied.epoch(), denied.deny(NOW, grant(0), NOW.unix + 100)), (0, None));
        assert_eq!(denied.deny(NOW, grant(9999), NOW.unix + 100), Some(1));
        assert_eq!((denied.epoch(), denied.entries.len()), (1, 0));
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be_is_refused_with_its_line() {
        let fault = |text: &str| Denied::parse(text, NOW).unwrap_err().line;
        assert_eq!(fault(""), 1);
        assert_eq!(fault("perchd revocations 2\nepoch 0\n"), 1);
        assert_eq!(fault(HEADER), 2);
        assert_eq!(fault(&format!("{HEADER}\nepoch x\n")), 2);
        let id = "0".repeat(32);
        for bad in [
            "",
            "x 1 2",
            &id[1..],
            &format!("{id} 1"),
            &format!("{id} 1 2 3"),
            &format!("+{} 1 2", &id[1..]),
            &format!("{id} -1 2"),
        ] {
            assert_eq!(fault(&format!("{HEADER}\nepoch 0\n{bad}\n")), 3, "{bad}");
        }
        let many = (0..=limits::DENIED).map(|n| format!("{n:032x} 1 9999999")).collect::<std::vec::Vec<_>>().join("\n");
        assert_eq!(fault(&format!("{HEADER}\nepoch 0\n{many}")), 3 + limits::DENIED);
    }

    #[test]
    fn the_list_survives_a_restart_and_is_written_only_when_it_changes() {
        let mut denied = Denied::default();
        assert_eq!(denied.text_if_changed(), None);
        denied.deny_all();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        denied.deny_access(NOW, grant(2), 3, NOW.unix + 50);
        let text = denied.text_if_changed().unwrap();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        assert_eq!(denied.text_if_changed(), None);
        let later = Now { unix: NOW.unix + 60, uptime_ms: 5 };
        let mut read = Denied::parse(&text, later).unwrap();
        assert_eq!((read.epoch(), read.has(grant(1)), read.has_access(grant(2), 3)), (1, true, false));
        assert_eq!(read.text_if_changed(), None);
    }
}
