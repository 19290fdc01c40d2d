//! Declared tools, resources and prompts: what reaches the command, what becomes of a command that misbehaves, and that
//! nothing of it is left behind.

use crate::board::{Board, Folder};
use crate::wire::{Wire, ask, request, rpc};
use perchd::limits;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

const OPEN: &str = "[auth]\nmode = \"open\"\n";
const JSON: &str = "content-type: application/json";
const EVENTS: &str = "accept: application/json, text/event-stream";
const STATELESS: [&str; 3] = ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: slow"];

/// Prints each element of its command line, with a NUL behind it.
const ECHO: &str = r#"
[[tool]]
name = "echo"
about = "Prints what it is given"
effect = "read"
run = ["/usr/bin/printf", '%s\0', "begin", "{text}", "--name={text}", "{more}", "{n}", "end"]
max_output = "1 MiB"
args.text = { type = "string", max_length = 131071 }
args.more = { type = "strings", optional = true, max_length = 131071 }
args.n = { type = "integer", optional = true }
"#;

/// Misbehaves as its first word says; the second is there to find its processes by.
const SCRIPT: &str = r#"#!/bin/sh
case $1 in
    stubborn) trap '' TERM; while :; do sleep 1; done ;;
    parent) sleep "$2" & sleep "$2" ;;
    leaves) sleep "$2" & echo left ;;
    closed) exec >&- 2>&-; sleep "$2" ;;
    crash) echo before; kill -SEGV $$ ;;
    fails) echo some; echo why >&2; exit 3 ;;
    flood) exec head -c 1073741824 /dev/zero ;;
    spill) head -c 67108864 /dev/zero; echo written >&2 ;;
    progress) for n in 1 2 3; do echo "$n/4 step $n" >&2; sleep 0.15; done; echo noise >&2; echo done ;;
    nap) sleep 0.3; echo rested ;;
    environment) env; ls -l /proc/self/fd; pwd; cat ;;
    *) sleep "$2" ;;
esac
"#;

/// The tools that run the script.
fn faults(folder: &Path) -> String {
    let script = folder.join("fault");
    fs::write(&script, SCRIPT).unwrap();
    let tool = |name: &str, effect: &str, more: &str| {
        format!(
            "[[tool]]\nname = \"{name}\"\nabout = \"Misbehaves\"\neffect = \"{effect}\"\n\
             run = [\"/bin/sh\", \"{}\", \"{{how}}\", \"{{mark}}\"]\nargs.how = {{ type = \"string\" }}\n\
             args.mark = {{ type = \"string\", default = \"600\" }}\n{more}\n",
            script.display()
        )
    };
    [
        tool("fault", "read", "timeout = \"1s\"\nconcurrency = 64"),
        tool("writes", "write", ""),
        tool("slow", "read", "progress = true\ntimeout = \"60s\""),
        tool("single", "read", "concurrency = 1\ntimeout = \"60s\""),
        tool("paced", "read", "rate = \"2/h\""),
        tool("hidden", "read", "env = { SECRET = \"s\", LANG = \"de_DE.UTF-8\" }\ncwd = \"/usr\""),
    ]
    .concat()
}

fn board() -> (Board, Folder) {
    let folder = Folder::new();
    let board = Board::configured(&format!("{OPEN}{ECHO}{}", faults(folder.path())));
    (board, folder)
}

fn call(port: u16, name: &str, arguments: &Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
    rpc(port, &message.to_string()).json()["result"].clone()
}

/// The text of a result that is no error.
fn told(result: &Value) -> &str {
    assert_eq!(result["isError"], false, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}

/// The text of a result that is one.
fn refusal(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}

fn fault(board: &Board, tool: &str, how: &str, mark: &str) -> Value {
    call(board.port, tool, &json!({"how": how, "mark": mark}))
}

/// A number of seconds that no other test sleeps.
fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("600.{}{:03}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// How many processes have this word in their command line.
fn alive(mark: &str) -> usize {
    let has = |path: &Path| {
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).any(|word| word == mark.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| has(&entry.path())).count()
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Children of the board, dead or alive.
fn children(board: &Board) -> usize {
    let is_child = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parent == Some(board.pid())
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_child(&entry.path())).count()
}

fn open_files(board: &Board) -> usize {
    fs::read_dir(format!("/proc/{}/fd", board.pid())).unwrap().count()
}

/// Nothing of what ran is there any more.
fn is_clean(board: &Board, mark: &str, files: usize) {
    until("its processes end", || alive(mark) == 0);
    until("all children are reaped", || children(board) == 0);
    until("all files are closed", || open_files(board) <= files);
}

#[test]
fn what_could_be_taken_for_an_option_or_end_a_string_is_refused() {
    let (board, _folder) = board();
    for text in ["", "-", "-rf", "--flag", "a\0b", "\0", &"x".repeat(131_072), &"x".repeat(1_000_000), &"ä".repeat(131_000)] {
        let refused = call(board.port, "echo", &json!({ "text": text }));
        assert!(refusal(&refused).starts_with("Argument `text` "), "{refused}");
        assert!(refusal(&refused).len() < 300);
    }
    for more in [json!(["-a"]), json!(["a", "b\0"]), json!([1]), json!("a"), json!(vec!["a"; 65])] {
        assert!(refusal(&call(board.port, "echo", &json!({"text": "t", "more": more}))).starts_with("Argument `more` "));
    }
    assert!(refusal(&call(board.port, "echo", &json!({"text": "t", "n": -1}))).contains("at least 0"));
}

#[test]
fn whatever_else_is_given_reaches_the_command_byte_for_byte() {
    let (board, _folder) = board();
    let long = "x".repeat(131_000);
    for text in [
        "; reboot",
        "$(reboot)",
        "${HOME}",
        "$HOME",
        "`reboot`",
        "a\nb",
        "\n",
        "\r\n",
        "| cat",
        "&& true",
        "& true",
        "> /tmp/x",
        "< /etc/passwd",
        "'",
        "\"",
        "'\"'\"'",
        "\\",
        "\\0",
        "\\n",
        "*",
        "?",
        "[a-z]",
        "~",
        "{a,b}",
        "{text}",
        "{{",
        "%s",
        "%n%n",
        "!!",
        "#",
        "=",
        " ",
        "  a  b  ",
        "\t",
        "–flag",
        "—flag",
        "‐x",
        "−1",
        "－－flag",
        "\u{202e}abc",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{feff}",
        "ä",
        "a\u{308}",
        "🦀",
        "\u{10ffff}",
        "a -b",
        "../../etc/passwd",
        "x;-rf",
        long.as_str(),
    ] {
        let result = call(board.port, "echo", &json!({"text": text, "more": [text, "b"], "n": 7}));
        let named = format!("--name={text}");
        let expected = ["begin", text, &named, text, "b", "7", "end"].map(|word| format!("{word}\0")).concat();
        assert!(told(&result) == expected, "{text:?}: {result}");
    }
    let least = call(board.port, "echo", &json!({"text": "t"}));
    assert_eq!(told(&least), "begin\0t\0--name=t\0end\0", "what is left out leaves no element");
}

#[test]
fn a_command_sees_no_more_than_it_should() {
    let (board, _folder) = board();
    let result = fault(&board, "hidden", "environment", "1");
    let seen: Vec<&str> = told(&result).lines().collect();
    let variables: Vec<&str> = seen.iter().copied().filter(|line| line.contains('=') && !line.contains("->")).collect();
    let known = ["PATH=", "LANG=de_DE.UTF-8", "SECRET=s", "PWD=", "OLDPWD=", "SHLVL=", "_="];
    assert!(variables.iter().all(|line| known.iter().any(|known| line.starts_with(known))), "{variables:?}");
    assert!(variables.contains(&"SECRET=s") && variables.contains(&"LANG=de_DE.UTF-8"), "the shell adds the others");
    let files: Vec<&str> = seen.iter().copied().filter(|line| line.contains("->")).collect();
    for file in files {
        let (number, target) = file.split_once(" -> ").map(|(start, to)| (start.rsplit(' ').next().unwrap(), to)).unwrap();
        match number {
            "0" => assert_eq!(target, "/dev/null"),
            "1" | "2" => assert!(target.starts_with("pipe:"), "{file}"),
            // The folder that is being listed.
            _ if target.starts_with("/proc/") => {}
            // What the test was started with, and handed on.
            _ => assert_eq!(fs::read_link(format!("/proc/self/fd/{number}")).unwrap().to_str(), Some(target)),
        }
    }
    assert_eq!(seen.last(), Some(&"/usr"));
}

#[test]
fn a_failure_is_told_in_words() {
    let (board, _folder) = board();
    assert_eq!(
        refusal(&fault(&board, "fault", "fails", "1")),
        "The command ended with the exit code 3.\nIts stderr ended with:\nwhy\nIt had printed:\nsome"
    );
    let crash = fault(&board, "fault", "crash", "1");
    assert_eq!(refusal(&crash), "The command was ended by SIGSEGV.\nIt had printed:\nbefore");
}

#[test]
fn a_command_that_does_not_end_is_ended_with_all_its_children() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let files = open_files(&board);
    for (how, least_ms, most_ms) in [("stubborn", 3900, 6000), ("parent", 900, 2500), ("closed", 900, 2500), ("sleep", 900, 2500)]
    {
        let mark = mark();
        let began = Instant::now();
        let result = fault(&board, "fault", how, &mark);
        let took = began.elapsed().as_millis();
        assert_eq!(refusal(&result), "The command did not end within 1 s and was stopped.", "{how}");
        assert!((least_ms..most_ms).contains(&took), "{how} took {took} ms");
        is_clean(&board, &mark, files);
    }
}

#[test]
fn what_a_command_leaves_behind_is_ended() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let (files, mark) = (open_files(&board), mark());
    let began = Instant::now();
    assert_eq!(told(&fault(&board, "fault", "leaves", &mark)), "left\n");
    assert!(began.elapsed() < Duration::from_secs(2), "its answer does not wait for what it left");
    is_clean(&board, &mark, files);
}

#[test]
fn output_without_end_is_cut_and_takes_no_memory() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let (files, before) = (open_files(&board), board.resident_kib());
    for _ in 0..3 {
        let began = Instant::now();
        let result = fault(&board, "fault", "flood", "1");
        assert_eq!(told(&result).len(), limits::OUTPUT_BYTES);
        assert_eq!(result["content"][1]["text"], "[Cut: the command printed more than 64 KiB; it was stopped there.]");
        assert!(began.elapsed() < Duration::from_secs(5), "what only reads is stopped at once: to its end, it would take 16 s");
    }
    // What writes goes on to its end, and others are served meanwhile.
    let port = board.port;
    let writing = std::thread::spawn(move || call(port, "writes", &json!({"how": "spill", "mark": "1"})));
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let sum = call(port, "add", &json!({"a": 2, "b": 3}));
    assert!(told(&sum) == "5" && began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(!writing.is_finished());
    let result = writing.join().unwrap();
    assert_eq!(result["content"][1]["text"], "[Cut: the command printed more than 64 KiB; the rest was thrown away.]");
    assert_eq!(result["content"][2]["text"], "Its stderr ended with:\nwritten");
    is_clean(&board, "/dev/zero", files);
    let grown = board.resident_kib().saturating_sub(before);
    assert!(grown < 4096, "{grown} KiB");
}

#[test]
fn two_hundred_calls_at_once_are_answered_and_leave_nothing() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let (files, port) = (open_files(&board), board.port);
    let calls: Vec<_> =
        (0..200).map(|_| std::thread::spawn(move || call(port, "fault", &json!({"how": "nap", "mark": "1"})))).collect();
    let results: Vec<Value> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    let rested = results.iter().filter(|result| result["isError"] == false).count();
    let refused: Vec<&str> = results.iter().filter(|result| result["isError"] == true).map(refusal).collect();
    assert!(rested >= limits::CALLS / 2 && rested + refused.len() == 200, "{rested}");
    let known = |why: &&str| {
        why.contains("at the same time") || why.contains("calls already") || why.contains("too many") || why.contains("memory")
    };
    assert!(refused.iter().all(known), "{refused:?}");
    is_clean(&board, "/nothing", files);
    assert!(board.resident_kib() < 32 * 1024, "{} KiB", board.resident_kib());
    assert_eq!(told(&fault(&board, "single", "nap", "1")), "rested\n", "the board goes on");
}

/// A session of the handshake dialect.
fn session(port: u16) -> String {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params":
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}});
    format!("mcp-session-id: {}", rpc(port, &hello.to_string()).header("mcp-session-id").unwrap())
}

/// A call whose answer is read event by event.
fn going(port: u16, headers: &[&str], arguments: &Value) -> Wire {
    let mut meta = json!({"progressToken": "p"});
    if headers.contains(&STATELESS[0]) {
        meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    let params = json!({"name": "slow", "arguments": arguments, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let mut wire = Wire::open(port);
    wire.send(&request(port, "POST /mcp", &[&[JSON, EVENTS], headers].concat(), &body.to_string())).unwrap();
    wire
}

fn data(wire: &mut Wire) -> Value {
    loop {
        let event = wire.event().unwrap().expect("the stream goes on");
        if let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")).filter(|data| !data.is_empty()) {
            return serde_json::from_str(data).unwrap();
        }
    }
}

#[test]
fn lines_of_progress_reach_the_caller_and_no_others() {
    let (board, _folder) = board();
    let session = session(board.port);
    let mut wire = going(board.port, &[&session], &json!({"how": "progress"}));
    assert_eq!(wire.head().unwrap().header("content-type"), Some("text/event-stream"));
    for n in 1..=3 {
        let progress = data(&mut wire);
        let expected = json!({"progressToken": "p", "progress": n, "total": 4, "message": format!("step {n}")});
        assert_eq!(progress["params"], expected, "{progress}");
    }
    let content = &data(&mut wire)["result"]["content"];
    assert_eq!(*content, json!([{"type": "text", "text": "done\n"}, {"type": "text", "text": "Its stderr ended with:\nnoise"}]));
}

#[test]
fn a_call_that_is_given_up_ends_its_command() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let (files, session) = (open_files(&board), session(board.port));
    let cancelled = mark();
    let wire = going(board.port, &[&session], &json!({"how": "parent", "mark": cancelled}));
    until("the command runs", || alive(&cancelled) >= 2);
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    assert_eq!(ask(board.port, "POST /mcp", &[JSON, &session], cancel).status, 202);
    drop(wire);
    is_clean(&board, &cancelled, files);
}

#[test]
fn a_client_of_the_stateless_dialect_that_is_gone_ends_its_command_and_another_does_not() {
    let (board, _folder) = board();
    fault(&board, "fault", "nap", "1");
    let (files, stateless, handshake) = (open_files(&board), mark(), mark());
    let wire = going(board.port, &STATELESS, &json!({"how": "stubborn", "mark": stateless}));
    until("the command runs", || alive(&stateless) >= 1);
    drop(wire);
    is_clean(&board, &stateless, files);
    let session = session(board.port);
    let wire = going(board.port, &[&session], &json!({"how": "sleep", "mark": handshake}));
    until("the command runs", || alive(&handshake) >= 1);
    drop(wire);
    std::thread::sleep(Duration::from_millis(500));
    assert!(alive(&handshake) >= 1, "a lost connection is not the end of a call there");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    assert_eq!(ask(board.port, "POST /mcp", &[JSON, &session], cancel).status, 202);
    is_clean(&board, &handshake, files);
}

#[test]
fn the_end_of_the_board_ends_its_commands() {
    let (mut board, _folder) = board();
    let (mark, session) = (mark(), session(board.port));
    let wire = going(board.port, &[&session], &json!({"how": "parent", "mark": mark}));
    until("the command runs", || alive(&mark) >= 2);
    drop(wire);
    board.terminate();
    assert_eq!(board.wait().0, Some(0));
    until("its commands end", || alive(&mark) == 0);
}

#[test]
fn a_tool_keeps_to_its_pace_and_runs_as_often_at_once_as_it_may() {
    let (mut board, _folder) = board();
    let session = session(board.port);
    let mark = mark();
    let _wire = {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "single", "arguments": {"how": "sleep", "mark": mark}}});
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "POST /mcp", &[JSON, EVENTS, &session], &body.to_string())).unwrap();
        wire
    };
    until("the command runs", || alive(&mark) >= 1);
    assert!(refusal(&fault(&board, "single", "nap", "1")).contains("once at the same time"));
    assert_eq!(told(&fault(&board, "paced", "nap", "1")), "rested\n");
    assert_eq!(told(&fault(&board, "paced", "nap", "1")), "rested\n");
    assert!(refusal(&fault(&board, "paced", "nap", "1")).contains("may not run that often"));
    // A board that is killed cannot end what runs.
    board.terminate();
    board.wait();
    until("its command ends", || alive(&mark) == 0);
}

const BESIDE: &str = r#"
[[tool]]
name = "status"
title = "Status"
about = "Says how things are"
effect = "destructive"
run = ["/usr/bin/printf", '{{"argv": ["%s", "%s"]}}', "{pin}", "{force}"]
dry_run = ["/usr/bin/printf", '{{ "argv": [] ,\n "dry": true}}']
args.pin = { type = "string", pattern = "[0-9]{4}", secret = true, about = "The PIN" }
args.force = { type = "boolean", flag = "--force" }
output = "json"
schema = { type = "object", properties = { argv = { type = "array", items = { type = "string" } } }, required = ["argv"] }

[[tool]]
name = "broken_promise"
about = "Prints another thing than it says"
effect = "read"
run = ["/usr/bin/printf", '{{"argv": 1}}']
output = "json"
schema = '{"type": "object", "properties": {"argv": {"type": "array"}}}'

[[tool]]
name = "picture"
about = "Takes a picture"
effect = "read"
run = ["/usr/bin/printf", '\211PNG']
output = "image/png"

[[tool]]
name = "table"
about = "Prints a table"
effect = "read"
run = ["/usr/bin/printf", 'a,b']
output = "text/csv"

[[resource]]
uri = "board://release"
name = "Release"
about = "Which system this is"
file = "/etc/os-release"
mime = "text/plain"

[[resource]]
uri = "board://words"
name = "Words"
run = ["/usr/bin/printf", 'a\0b']
mime = "application/octet-stream"

[[resource]]
uri = "board://large"
name = "Large"
run = ["/usr/bin/head", "-c", "2048", "/dev/zero"]
max_size = "1 KiB"

[[prompt]]
name = "diagnose"
title = "Diagnose a unit"
about = "Asks why a unit fails"
args.unit = { about = "The unit" }
args.hint = { about = "What you know", optional = true }
text = "Why does {unit} fail? {{think}} {hint}{unit}"
"#;

/// A board whose `tools.d` holds these files.
fn beside(files: &[(&str, &str)]) -> Board {
    let board = Board::configured(OPEN);
    fs::create_dir(board.state().join("tools.d")).unwrap();
    for (name, text) in files {
        fs::write(board.state().join("tools.d").join(name), text).unwrap();
    }
    // Once it answers, it hears signals as well.
    assert!(listed(&board, "add").is_object());
    board.reconfigure(OPEN);
    board
}

fn result(board: &Board, method: &str, params: &Value) -> Value {
    rpc(board.port, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).json()
}

fn listed(board: &Board, name: &str) -> Value {
    let tools = result(board, "tools/list", &json!({}));
    let tools = tools["result"]["tools"].as_array().unwrap();
    tools.iter().find(|tool| tool["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn what_stands_in_tools_d_is_offered_as_it_says() {
    let board = beside(&[("status.toml", BESIDE), ("notes.txt", "no TOML")]);
    until("the configuration is read anew", || listed(&board, "status")["name"] == "status");
    // The schema of the output is of 2025-06-18, and a message without a session is of 2025-03-26.
    let session = session(board.port);
    let tools = ask(board.port, "POST /mcp", &[JSON, &session], r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).json();
    let status = tools["result"]["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "status").unwrap().clone();
    assert_eq!(status["annotations"]["destructiveHint"], true);
    assert_eq!(status["outputSchema"]["required"], json!(["argv"]));
    assert_eq!(status["inputSchema"]["required"], json!(["pin"]));
    let properties = &status["inputSchema"]["properties"];
    let pin = json!({"type": "string", "description": "The PIN", "minLength": 1, "maxLength": 4096, "pattern": "^(?:[0-9]{4})$"});
    assert_eq!(properties["pin"], pin);
    assert_eq!(properties["dry_run"]["default"], false);

    let asked = |arguments: Value| {
        let body =
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status", "arguments": arguments}});
        ask(board.port, "POST /mcp", &[JSON, &session], &body.to_string()).json()["result"].clone()
    };
    assert!(refusal(&asked(json!({"pin": "12345"}))).contains("match ^(?:[0-9]{4})$"));
    assert_eq!(asked(json!({"pin": "1234", "force": true}))["structuredContent"], json!({"argv": ["1234", "--force"]}));
    assert_eq!(asked(json!({"pin": "1234"}))["structuredContent"], json!({"argv": ["1234", ""]}), "printf fills in nothing");
    assert_eq!(asked(json!({"pin": "1234", "dry_run": true}))["structuredContent"], json!({"argv": [], "dry": true}));
    assert!(refusal(&call(board.port, "broken_promise", &json!({}))).contains("`argv` must be of type"));

    let picture = &call(board.port, "picture", &json!({}))["content"][0];
    assert_eq!(*picture, json!({"type": "image", "data": "iVBORw==", "mimeType": "image/png"}));
    let table = &call(board.port, "table", &json!({}))["content"][0]["resource"];
    assert_eq!(*table, json!({"uri": "command://table/output", "mimeType": "text/csv", "text": "a,b"}));
}

#[test]
fn declared_resources_are_read_and_prompts_filled_in() {
    let board = beside(&[("all.toml", BESIDE)]);
    let read = |uri: &str| result(&board, "resources/read", &json!({ "uri": uri }));
    until("the configuration is read anew", || read("board://words")["result"].is_object());
    let release = fs::read_to_string("/etc/os-release").unwrap();
    let expected = json!([{"uri": "board://release", "mimeType": "text/plain", "text": release}]);
    assert_eq!(read("board://release")["result"]["contents"], expected);
    assert_eq!(read("board://words")["result"]["contents"][0]["blob"], "YQBi");
    let large = read("board://large");
    assert!(large["error"]["message"].as_str().unwrap().contains("more than 1 KiB"), "{large}");

    let prompt = |arguments: Value| result(&board, "prompts/get", &json!({"name": "diagnose", "arguments": arguments}));
    assert!(prompt(json!({}))["error"].is_object());
    let text = &prompt(json!({"unit": "nginx"}))["result"]["messages"][0]["content"]["text"];
    assert_eq!(text, "Why does nginx fail? {think} nginx");
}

#[test]
fn a_fault_in_tools_d_leaves_all_as_it_was_and_is_told_with_its_file_and_line() {
    let twice = "\n[[tool]]\nname = \"table\"\nabout = \"x\"\neffect = \"read\"\nrun = [\"/usr/bin/true\"]\n";
    for (name, text, told) in [
        ("a.toml", "\n[[tol]]\n", "a.toml:2: unknown field `tol`"),
        ("b.toml", "[[tool]]\nname = \"x\"\n", "b.toml:1: missing field"),
        ("c.toml", "\n[[tool]]\nname = \"x\"\nabout = \"x\"\neffect = \"read\"\n", "c.toml:2: missing field `run`"),
        ("z.toml", twice, "z.toml:3: there is a tool of this name already"),
    ] {
        let board = beside(&[("m.toml", BESIDE)]);
        until("the configuration is read anew", || listed(&board, "table")["name"] == "table");
        fs::write(board.state().join("tools.d").join(name), text).unwrap();
        board.reconfigure("name = \"Other\"\n");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(listed(&board, "table")["name"], "table");
        let said = board.told();
        assert!(said.contains(told) && said.contains("stays as it was"), "{said}");
    }
}

#[test]
fn the_audit_shows_the_beginning_of_each_argument_and_no_secret() {
    let board = Board::configured(&format!("{OPEN}{ECHO}{BESIDE}"));
    call(board.port, "echo", &json!({"text": "x".repeat(100), "more": ["a", "b"]}));
    call(board.port, "status", &json!({"pin": "4711", "force": true}));
    call(board.port, "add", &json!({"a": 1, "b": 2}));
    let told = board.told();
    let lines: Vec<&str> = told.lines().filter_map(|line| line.split_once("audit: ")).map(|(_, json)| json).collect();
    let called: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |tool: &str| called.iter().find(|event| event["tool"] == tool).unwrap();
    assert_eq!(of("echo")["arguments"], json!({"text": format!("{}…", "x".repeat(40)), "more": ["a", "b"]}));
    assert_eq!(of("status")["arguments"], json!({"pin": "(secret)", "force": true, "dry_run": false}));
    assert!(of("add").get("arguments").is_none());
    assert!(!told.contains("4711"), "{told}");
}
