//! What the server says, and who does not listen.

use crate::board::{Folder, command};
use crate::wire::ask;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn a_stderr_that_nobody_reads_does_not_stop_the_server() {
    let folder = Folder::new();
    let mut child = command()
        .args(["serve", "--auth", "demo", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let port = first.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:")).unwrap().parse().unwrap();
    // A pipe holds 64 KiB; each refused token is a line.
    for _ in 0..2000 {
        let reply = ask(port, "POST /mcp", &["authorization: Bearer nonsense"], "");
        assert_eq!(reply.status, 401);
    }
    let mut stderr = child.stderr.take().unwrap();
    let mut some = vec![0; 60_000];
    stderr.read_exact(&mut some).unwrap();
    assert_eq!(ask(port, "POST /mcp", &["authorization: Bearer nonsense"], "").status, 401);
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let told = String::from_utf8(some).unwrap() + &rest;
    assert!(told.contains("lines were dropped here"), "{}", &told[told.len() - 300..]);
    assert!(told.lines().all(|line| line.starts_with("audit: {") || line.starts_with("info: ") || line.starts_with("warn: ")));
}
