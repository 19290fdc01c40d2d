//! What was revoked. Sealed tokens prove themselves, so that a revocation must be remembered until they are out of date:
//! in memory, and in a small file that is written when there is something new.

use super::client::is_visible;
use crate::limits;
use crate::principal::{ClientTag, GrantId, Standing};
use crate::seal::Fault;
use crate::world::Now;
use std::fmt::Write as _;

/// The first line of the file, and that of the version before, which knew no users and clients.
const HEADER: &str = "perchd revocations 2";
const HEADER_1: &str = "perchd revocations 1";
/// Stands for every token of a grant.
const ALL: u32 = u32::MAX;

/// A user's name.
type User = heapless::String<{ limits::SUBJECT_BYTES }>;

/// Grants whose tokens are dead, or some of them; users and clients whose tokens of earlier epochs are.
///
/// The epoch counts the revocations of more than one grant. Each takes the next number, and a token carries that of the
/// latest one before it: what was revoked under a higher number may concern it, and what came before does not.
#[derive(Debug, Default)]
pub(super) struct Denied {
    /// [`limits::DENIED`] at most.
    entries: Vec<Entry>,
    /// [`limits::MARKS`] at most.
    marks: Vec<Mark>,
    epoch: u32,
    /// Tokens of an epoch before this one are dead, whosever they are.
    floor: u32,
    is_changed: bool,
}

/// Tokens of this user or client are dead when they are of an epoch before this one. It never lapses: no clock can then
/// bring back what was revoked.
#[derive(Debug)]
struct Mark {
    whose: Whose,
    epoch: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Whose {
    User(User),
    Client(ClientTag),
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
        if self.entries.len() < limits::DENIED {
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
        self.marks.clear();
        self.epoch = self.epoch.saturating_add(1);
        self.floor = self.epoch;
        self.is_changed = true;
        self.epoch
    }

    /// Ends every token of a user. Returns the new epoch if all others had to end as well.
    pub(super) fn deny_user(&mut self, subject: &str) -> Option<u32> {
        // What is no name is nobody's, and would be no line of the file either.
        let user = User::try_from(subject).ok().filter(|name| !name.is_empty() && name.chars().all(is_visible));
        user.and_then(|user| self.mark(Whose::User(user)))
    }

    /// Ends every token of a client. Returns the new epoch if all others had to end as well.
    pub(super) fn deny_client(&mut self, client: ClientTag) -> Option<u32> {
        self.mark(Whose::Client(client))
    }

    fn mark(&mut self, whose: Whose) -> Option<u32> {
        self.epoch = self.epoch.saturating_add(1);
        self.is_changed = true;
        let epoch = self.epoch;
        if let Some(mark) = self.marks.iter_mut().find(|mark| mark.whose == whose) {
            mark.epoch = epoch;
            return None;
        }
        insert(&mut self.marks, limits::MARKS, Mark { whose, epoch }).err().map(|Full| self.deny_all())
    }

    /// What a new token carries: nothing that was revoked before concerns it.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Whether an access token is dead.
    pub(super) fn has_access(&self, standing: &Standing<'_>, counter: u32) -> bool {
        self.is_of_the_past(standing)
            || self.entries.iter().any(|entry| entry.grant == standing.grant && counter <= entry.through)
    }

    /// Whether every token of a sign-in is dead.
    pub(super) fn has(&self, standing: &Standing<'_>) -> bool {
        self.is_of_the_past(standing) || self.entries.iter().any(|entry| entry.grant == standing.grant && entry.through == ALL)
    }

    fn is_of_the_past(&self, standing: &Standing<'_>) -> bool {
        let Standing { epoch, .. } = *standing;
        epoch < self.floor
            || (epoch < self.epoch && self.marks.iter().any(|mark| epoch < mark.epoch && mark.whose.is_of(standing)))
    }

    /// What to write to the file, if something is new since the last time.
    pub(super) fn text_if_changed(&mut self) -> Option<String> {
        std::mem::take(&mut self.is_changed).then(|| self.to_text())
    }

    /// It was not written: what is new is so still.
    pub(super) fn is_unwritten(&mut self) {
        self.is_changed = true;
    }

    /// Reads what was written in an earlier boot, by this version or the one before.
    pub(super) fn parse(text: &str, now: Now) -> Result<Self, Fault> {
        let mut lines = text.lines().zip(1..);
        let is_first = match lines.next() {
            Some((HEADER, _)) => false,
            Some((HEADER_1, _)) => true,
            _ => return Err(Fault { line: 1, what: "this is no list of revocations, or one of a newer perchd" }),
        };
        let numbers = lines.next().and_then(|(text, _)| epochs(text, is_first));
        let what =
            if is_first { "the second line is `epoch` and a number" } else { "the second line is `epoch` and two numbers" };
        let (epoch, floor) = numbers.ok_or(Fault { line: 2, what })?;
        let mut denied = Denied { epoch, floor, ..Denied::default() };
        for (text, line) in lines {
            denied.read(text, is_first, now).map_err(|what| Fault { line, what })?;
        }
        Ok(denied)
    }

    fn read(&mut self, line: &str, is_first: bool, now: Now) -> Result<(), &'static str> {
        let full = "there are too many revocations";
        let grant = if is_first { Some(line) } else { line.strip_prefix("grant ") };
        if let Some(grant) = grant {
            let entry = Entry::parse(grant, now).ok_or("a revoked grant is its id, a number and a time")?;
            return insert(&mut self.entries, limits::DENIED, entry).map_err(|Full| full);
        }
        let mark = Mark::parse(line).filter(|mark| mark.epoch <= self.epoch);
        let mark = mark.ok_or("a revocation is that of a grant, a user or a client, and none is of an epoch to come")?;
        insert(&mut self.marks, limits::MARKS, mark).map_err(|Full| full)
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
        let entry = Entry { grant, through, until_unix, until_ms };
        insert(&mut self.entries, limits::DENIED, entry).err().map(|Full| self.deny_all())
    }

    fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nepoch {} {}\n", self.epoch, self.floor);
        for Mark { whose, epoch } in &self.marks {
            let _ = match whose {
                Whose::User(name) => writeln!(text, "user {epoch} {name}"),
                Whose::Client(tag) => writeln!(text, "client {epoch} {tag}"),
            };
        }
        for entry in &self.entries {
            text.push_str("grant ");
            for byte in entry.grant.0 {
                let _ = write!(text, "{byte:02x}");
            }
            let _ = writeln!(text, " {} {}", entry.through, entry.until_unix);
        }
        text
    }
}

/// There are as many as there may be.
struct Full;

/// Puts one more into a list that takes memory as it fills, and has an end all the same.
fn insert<T>(list: &mut Vec<T>, most: usize, item: T) -> Result<(), Full> {
    if list.len() >= most {
        return Err(Full);
    }
    list.push(item);
    Ok(())
}

fn epochs(line: &str, is_first: bool) -> Option<(u32, u32)> {
    let numbers = line.strip_prefix("epoch ")?;
    if is_first {
        return numbers.parse().ok().map(|epoch| (epoch, epoch));
    }
    let (epoch, floor) = numbers.split_once(' ')?;
    let (epoch, floor) = (epoch.parse().ok()?, floor.parse().ok()?);
    (floor <= epoch).then_some((epoch, floor))
}

impl Mark {
    fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        let (epoch, name) = rest.split_once(' ')?;
        let epoch = epoch.parse().ok()?;
        let whose = match kind {
            "user" => Whose::User(User::try_from(name).ok().filter(|name| !name.is_empty())?),
            "client" => Whose::Client(ClientTag(digits(name, 16)?.to_be_bytes()[8..].try_into().ok()?)),
            _ => return None,
        };
        Some(Mark { whose, epoch })
    }
}

impl Whose {
    fn is_of(&self, standing: &Standing<'_>) -> bool {
        match self {
            Whose::User(name) => name == standing.subject,
            Whose::Client(tag) => *tag == standing.client,
        }
    }
}

impl Entry {
    fn parse(line: &str, now: Now) -> Option<Self> {
        let mut words = line.split(' ');
        let (grant, through, until) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        let grant = GrantId(digits(grant, 32)?.to_be_bytes());
        let until_unix = until.parse().ok()?;
        // A clock that is ahead when the board starts, and is set right later, must not bring back what was revoked.
        let until_ms = uptime_ms_at(now, until_unix).max(now.uptime_ms.saturating_add(limits::DENIED_SECS * 1000));
        Some(Entry { grant, through: through.parse().ok()?, until_unix, until_ms })
    }
}

/// A number of so many hexadecimal digits, without a sign.
fn digits(text: &str, length: usize) -> Option<u128> {
    let is_plain = text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| is_plain)
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
        id[..size_of::<usize>()].copy_from_slice(&n.to_be_bytes());
        GrantId(id)
    }

    fn standing(n: usize, epoch: u32) -> Standing<'static> {
        Standing { subject: "ada", client: ClientTag([1; 8]), grant: grant(n), epoch }
    }

    #[test]
    fn a_denied_grant_is_denied_until_its_tokens_are_out_of_date() {
        let mut denied = Denied::default();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        assert!(denied.has(&standing(1, 0)) && denied.has_access(&standing(1, 0), 0) && denied.has_access(&standing(1, 0), 7));
        assert!(!denied.has(&standing(2, 0)) && !denied.has_access(&standing(2, 0), 0));
        // The clock jumps, and nothing is forgotten by it.
        denied.deny(Now { unix: NOW.unix + 5000, uptime_ms: 99_999 }, grant(2), NOW.unix + 9000);
        assert!(denied.has(&standing(1, 0)));
        denied.deny(Now { unix: NOW.unix, uptime_ms: 100_000 }, grant(3), NOW.unix + 100);
        assert!(!denied.has(&standing(1, 0)));
    }

    #[test]
    fn denied_access_leaves_the_refresh_token_and_later_access_tokens() {
        let mut denied = Denied::default();
        denied.deny_access(NOW, grant(1), 3, NOW.unix + 100);
        assert!(denied.has_access(&standing(1, 0), 2) && denied.has_access(&standing(1, 0), 3));
        assert!(!denied.has_access(&standing(1, 0), 4) && !denied.has(&standing(1, 0)));
        denied.deny_access(NOW, grant(1), 1, NOW.unix + 100);
        assert!(denied.has_access(&standing(1, 0), 3));
        denied.deny(NOW, grant(1), NOW.unix + 100);
        denied.deny_access(NOW, grant(1), 5, NOW.unix + 100);
        assert!(denied.has(&standing(1, 0)));
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
        assert_eq!(fault("perchd revocations 3\nepoch 0 0\n"), 1);
        assert_eq!(fault(HEADER), 2);
        for epochs in ["x", "1", "1 x", "1 2", "2 1 0"] {
            assert_eq!(fault(&format!("{HEADER}\nepoch {epochs}\n")), 2, "{epochs}");
        }
        assert_eq!(fault(&format!("{HEADER_1}\nepoch 1 1\n")), 2);
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
            assert_eq!(fault(&format!("{HEADER_1}\nepoch 0\n{bad}\n")), 3, "{bad}");
            assert_eq!(fault(&format!("{HEADER}\nepoch 0 0\ngrant {bad}\n")), 3, "{bad}");
        }
        let long = "u".repeat(limits::SUBJECT_BYTES + 1);
        for bad in [
            "user",
            "user 1",
            "user 1 ",
            "user 2 ada",
            "user x ada",
            &format!("user 1 {long}"),
            "client 1 00",
            "client 1 +123456789abcdef",
            "client 1 0123456789abcdef0",
            "client 2 0123456789abcdef",
            "group 1 ada",
            &format!("{id} 1 2"),
        ] {
            assert_eq!(fault(&format!("{HEADER}\nepoch 1 0\n{bad}\n")), 3, "{bad}");
        }
        let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().join("\n");
        let grants = many(limits::DENIED + 1, &|n| format!("grant {n:032x} 1 9999999"));
        assert_eq!(fault(&format!("{HEADER}\nepoch 0 0\n{grants}")), 3 + limits::DENIED);
        let marks = many(limits::MARKS + 1, &|n| format!("client 1 {n:016x}"));
        assert_eq!(fault(&format!("{HEADER}\nepoch 1 0\n{marks}")), 3 + limits::MARKS);
    }

    #[test]
    fn a_user_or_client_loses_the_tokens_of_before_and_nobody_else_does() {
        let mut denied = Denied::default();
        assert_eq!(denied.deny_user("bob"), None);
        assert!(!denied.has(&standing(1, 0)) && !denied.has_access(&standing(1, 0), 0));
        assert_eq!(denied.deny_user("ada"), None);
        assert!(denied.has(&standing(1, 0)) && denied.has_access(&standing(1, 1), 0));
        assert!(!denied.has(&standing(1, denied.epoch())), "who signs in again is in again");
        assert_eq!(denied.deny_client(ClientTag([1; 8])), None);
        assert!(denied.has(&standing(1, 2)) && !denied.has(&standing(1, 3)));
        assert!(!denied.has(&Standing { subject: "eve", client: ClientTag([2; 8]), ..standing(1, 0) }));
        denied.deny_user("ada");
        assert!(denied.has(&standing(1, 3)) && !denied.has(&standing(1, 4)));
        assert_eq!(denied.marks.len(), 3, "the same user takes no more room the second time");
    }

    #[test]
    fn a_full_list_of_users_ends_every_token_and_has_room_again() {
        let mut denied = Denied::default();
        for n in 0..limits::MARKS {
            assert_eq!(denied.deny_user(&n.to_string()), None);
        }
        let last = denied.epoch();
        assert!(!denied.has(&standing(1, 0)));
        assert_eq!(denied.deny_user("0"), None);
        let epoch = denied.deny_user("one more").unwrap();
        assert!(epoch > last && denied.has(&standing(1, epoch - 1)) && !denied.has(&standing(1, epoch)));
        assert!(denied.marks.is_empty());
    }

    #[test]
    fn what_is_no_name_takes_no_room() {
        let mut denied = Denied::default();
        for name in ["", "a\nuser 9 b", "a\0", &"u".repeat(limits::SUBJECT_BYTES + 1)] {
            assert_eq!(denied.deny_user(name), None);
        }
        assert_eq!((denied.epoch(), denied.text_if_changed()), (0, None));
    }

    #[test]
    fn a_list_of_the_version_before_is_read() {
        let text = format!("{HEADER_1}\nepoch 2\n{:032x} 4294967295 2000000\n", 7);
        let denied = Denied::parse(&text, NOW).unwrap();
        assert!(denied.has(&standing(1, 1)) && !denied.has(&standing(1, 2)));
        let seventh = Standing { grant: GrantId(7_u128.to_be_bytes()), ..standing(1, 2) };
        assert!(denied.has(&seventh));
        assert_eq!(denied.to_text(), format!("{HEADER}\nepoch 2 2\ngrant {:032x} 4294967295 2000000\n", 7));
    }

    #[test]
    fn the_list_survives_a_restart_and_is_written_only_when_it_changes() {
        let mut denied = Denied::default();
        assert_eq!(denied.text_if_changed(), None);
        denied.deny_all();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        denied.deny_access(NOW, grant(2), 3, NOW.unix + 50);
        denied.deny_user("a name: with, spaces");
        denied.deny_client(ClientTag([0xab; 8]));
        let text = denied.text_if_changed().unwrap();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        assert_eq!(denied.text_if_changed(), None);
        let later = Now { unix: NOW.unix + 60, uptime_ms: 5 };
        let mut read = Denied::parse(&text, later).unwrap();
        assert_eq!(read.epoch(), 3);
        assert!(read.has(&standing(1, 1)) && read.has_access(&standing(2, 1), 3) && read.has(&standing(2, 0)));
        assert!(read.has(&Standing { subject: "a name: with, spaces", ..standing(2, 1) }));
        assert!(read.has(&Standing { client: ClientTag([0xab; 8]), ..standing(2, 2) }));
        assert_eq!(read.to_text().lines().count(), text.lines().count());
        assert_eq!(read.text_if_changed(), None);
    }

    #[test]
    fn what_seems_out_of_date_at_the_start_is_kept_for_a_day() {
        let mut denied = Denied::default();
        denied.deny(NOW, grant(1), NOW.unix + 100);
        let ahead = Now { unix: NOW.unix + 5000, uptime_ms: 5 };
        let mut read = Denied::parse(&denied.to_text(), ahead).unwrap();
        assert!(read.has(&standing(1, 0)), "the clock may be ahead, and be set right later");
        let day = Now { unix: NOW.unix, uptime_ms: 5 + limits::DENIED_SECS * 1000 };
        read.deny(day, grant(2), day.unix + 100);
        assert!(!read.has(&standing(1, 0)));
    }
}
