//! In steady state not one byte reaches the disk, signing in included: what the kernel is asked for is watched by Debian's
//! `strace`, so that this runs when it is asked for: `tests/run world`.

use crate::board::{Board, Folder};
use crate::oauth::{HELLO, SCOPES, sse};
use crate::sign_in::{Browser, Client, Form, Tokens};
use crate::wire::ask;
use std::fs;
use std::path::Path;

/// What writes through a descriptor: allowed where that is no file.
const WRITES: &str = "write,writev,pwrite64,pwritev,pwritev2,sendfile,splice,copy_file_range,ftruncate,fallocate";
/// What changes a file or a folder, or waits for the disk: never allowed.
const CHANGES: &str = "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,truncate,\
                       chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,mknod,mknodat,fsync,fdatasync,sync,syncfs,\
                       sync_file_range,msync,creat,setxattr,fsetxattr";
/// What opens a file: allowed for reading.
const OPENS: &str = "open,openat,openat2";
/// What maps one: allowed unless what is written there goes back to it.
const MAPS: &str = "mmap";
/// The first connection ends the start.
const ACCEPTS: &str = "accept4,accept";

const ROUNDS: usize = 50;

fn traced(log: &Path) -> Board {
    let calls = format!("trace={WRITES},{CHANGES},{OPENS},{MAPS},{ACCEPTS}");
    let log = log.to_str().unwrap();
    let under = ["strace", "-D", "-f", "-q", "-y", "-s", "40", "-e", "signal=none", "-e", &calls, "-o", log];
    Board::under(under.map(str::to_owned).into(), &users())
}

/// As many users as there are rounds, with the password that the tests' browser types.
fn users() -> String {
    let hash = perchd::oauth::Phc::make("correct horse", 0, *b"sixteen bytes...").to_text();
    let users = (0..ROUNDS).map(|round| format!("[auth.users.user{round}]\npassword = \"{hash}\"\n"));
    users.fold("[auth]\nmode = \"users\"\n".to_owned(), |text, user| text + &user)
}

/// The calls behind the first connection that would change what is on a disk.
fn to_disk(log: &str) -> Vec<&str> {
    let is_start = |line: &&str| !line.contains(" accept4(") && !line.contains(" accept(");
    log.lines().skip_while(is_start).filter(|line| changes_disk(line)).collect()
}

fn changes_disk(line: &str) -> bool {
    // `1234  openat(AT_FDCWD</tmp>, "/proc/meminfo", O_RDONLY|O_CLOEXEC) = 5</proc/meminfo>`
    let Some((name, arguments)) = line.split_once('(') else { return false };
    let name = name.split_whitespace().last().unwrap_or_default();
    let is_one = |names: &str| names.split(',').any(|other| other.trim() == name);
    if is_one(OPENS) {
        return ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND", "O_TMPFILE"].iter().any(|flag| arguments.contains(flag));
    }
    if is_one(MAPS) {
        return arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE") && arguments.contains("</");
    }
    if is_one(WRITES) {
        let descriptor = arguments.split(',').next().unwrap_or_default();
        let is_no_file = ["<socket:", "<pipe:", "<anon_inode:", "<TCP", "<UNIX", "</dev/null>", "</dev/pts/"];
        return !is_no_file.iter().any(|kind| descriptor.contains(kind));
    }
    is_one(CHANGES)
}

/// Everything that one does with a board but to revoke.
fn live(board: &Board, client: &Client, round: usize) -> Tokens {
    let name = format!("user{round}");
    let tokens = client.sign_in(&name, SCOPES);
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    let hello = next.rpc(board.port, HELLO);
    assert_eq!(hello.status, 200);
    for (name, arguments) in [("add", r#"{"a":1,"b":2}"#), ("board_health", "{}")] {
        let call =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#);
        assert_eq!(next.rpc(board.port, &call).status, 200);
    }
    let (_stream, _) = sse(board, &next);
    // And what strangers do.
    assert_eq!(client.refresh("x").status, 400);
    assert_eq!(ask(board.port, "POST /mcp", &["authorization: Bearer x"], "").status, 401);
    assert_eq!(ask(board.port, "GET /", &["host: evil.example"], "").status, 421);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    if round.is_multiple_of(25) {
        let wrong = browser.submit(&page, &[("email", "user0"), ("password", "wrong"), ("action", "sign_in")]);
        assert!(wrong.body.contains("role=\"alert\""), "{wrong:?}");
    }
    assert_eq!(browser.submit(&page, &[("action", "reject")]).status, 303);
    next
}

#[test]
fn fifty_sign_ins_refreshes_and_calls_write_to_no_file() {
    let folder = Folder::new();
    let log = folder.path().join("log");
    let mut board = traced(&log);
    let client = Client::register(board.port);
    let all: Vec<_> = (0..ROUNDS).map(|round| live(&board, &client, round)).collect();
    let last = &all[ROUNDS - 1];
    board.terminate();
    assert_eq!(board.wait().0, Some(0));
    let text = finished(&log);
    assert!(text.matches(" accept4(").count() > 50 && text.matches("write").count() > 50, "{}", text.len());
    assert!(text.contains(" renameat") || text.contains(" rename("), "the start made a key ring, and that is seen");
    // At its very end it takes its socket away, which is no file, and stands in memory where there is a runtime directory.
    let socket = format!("unlink(\"{}\")", board.state().join("control").display());
    let seen = to_disk(&text);
    let seen = seen.split_last().filter(|(last, _)| last.contains(&socket)).map_or(&seen[..], |(_, before)| before);
    assert_eq!(seen, Vec::<&str>::new());

    // A revocation is written: what this test looks for can be found.
    fs::remove_file(&log).unwrap();
    let mut board = board.power_cut();
    assert!(last.is_good(board.port));
    assert_eq!(client.revoke(&last.refresh).status, 200);
    board.terminate();
    assert_eq!(board.wait().0, Some(0));
    let text = finished(&log);
    let seen = to_disk(&text);
    for what in ["revoked.new", "rename", "fsync", "write("] {
        assert!(seen.iter().any(|line| line.contains(what)), "{what}: {seen:?}");
    }
}

/// The whole log: strace writes its end a moment after that of the program.
fn finished(log: &Path) -> String {
    for _ in 0..200 {
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.lines().last().is_some_and(|line| line.contains("+++ ")) {
            return text;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("strace does not end");
}
