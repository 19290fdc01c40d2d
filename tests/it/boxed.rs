//! The tools in the box that a configuration switches on, over the wire.

use crate::board::{Board, Folder};
use crate::wire::{ask, rpc};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const OPEN: &str = "[auth]\nmode = \"open\"\n";

/// Calls a tool; its result.
fn call(board: &Board, name: &str, arguments: &Value) -> Value {
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}).to_string();
    let headers = ["content-type: application/json", "mcp-protocol-version: 2025-11-25"];
    let answer = ask(board.port, "POST /mcp", &headers, &message).json();
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

/// Calls a tool that does its work; what it says to programs.
fn done(board: &Board, name: &str, arguments: &Value) -> Value {
    let result = call(board, name, arguments);
    assert_eq!(result["isError"], false, "{result}");
    result["structuredContent"].clone()
}

/// Reads a resource; the answer.
fn read(board: &Board, uri: &str) -> Value {
    rpc(board.port, &json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": uri}}).to_string()).json()
}

/// The names of the tools that are listed.
fn tools(board: &Board) -> Vec<String> {
    let listed = rpc(board.port, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).json();
    listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// A board whose `/proc` and `/sys` are those of a recorded one.
fn recorded(name: &str, more: &str) -> (Board, Folder) {
    let folder = Folder::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/trees/{name}.txt"));
    for line in fs::read_to_string(file).unwrap().lines().filter(|line| !line.starts_with('#')) {
        let (path, text) = line.split_once(" = ").unwrap();
        let place = folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let before = fs::read_to_string(&place).unwrap_or_default();
        fs::write(place, format!("{before}{text}\n")).unwrap();
    }
    let board = Board::configured(&format!("{OPEN}[system]\nroot = \"{}\"\n{more}", folder.path().display()));
    (board, folder)
}

#[test]
fn nothing_is_offered_that_is_not_switched_on_and_a_reload_switches_it_on() {
    let board = Board::configured(OPEN);
    assert!(!tools(&board).contains(&"sensors".to_owned()));
    board.reconfigure(&format!("{OPEN}[sensors]\nenabled = true\n"));
    let is_there = (0..250).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        tools(&board).contains(&"sensors".to_owned())
    });
    assert!(is_there);
    // This machine's own, whatever it has.
    assert!(done(&board, "sensors", &json!({}))["sensors"].is_array());
}

#[test]
fn sensors_are_a_tool_and_resources() {
    let (board, _folder) = recorded("pi-zero", "[sensors]\nenabled = true\n");
    let all = done(&board, "sensors", &json!({}));
    assert_eq!(all["sensors"].as_array().unwrap().len(), 5);
    let humidity = json!({"name": "dht11_4.humidityrelative", "chip": "dht11@4", "kind": "humidity", "value": 41.0, "unit": "%"});
    assert_eq!(done(&board, "sensors", &json!({"filter": "humid"}))["sensors"], json!([humidity]));
    let one = read(&board, "sensor://28-0316a2791bff");
    let text = one["result"]["contents"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["value"], 23.125);
    assert_eq!(one["result"]["contents"][0]["uri"], "sensor://28-0316a2791bff");
    let list = read(&board, "sensors://all");
    let text = list["result"]["contents"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["sensors"], all["sensors"]);
    for uri in ["sensor://none", "sensor://..%2F..%2Fetc%2Fpasswd"] {
        assert!(read(&board, uri)["error"]["message"].as_str().unwrap().contains("no sensor of this name"), "{uri}");
    }
    let complete = r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"sensor://{name}"},"argument":{"name":"name","value":"cpu"}}}"#;
    assert_eq!(rpc(board.port, complete).json()["result"]["completion"]["values"], json!(["cpu-thermal"]));
}

#[test]
fn network_and_processes_belong_to_the_health_that_is_always_there() {
    let (board, _folder) = recorded("pi-zero", "");
    let network = done(&board, "board_network", &json!({}));
    assert_eq!(
        (network["gateway"].as_str(), network["interfaces"][1]["addresses"][0].as_str()),
        (Some("192.168.1.1"), Some("192.168.1.20"))
    );
    let top = done(&board, "top_processes", &json!({"count": 1}));
    assert_eq!(top["processes"], 3);
    assert_eq!(top["by_memory"], json!([{"pid": 1, "name": "systemd", "cpu_percent": 0.0, "memory_bytes": 9_216_000}]));
    assert_eq!(call(&board, "top_processes", &json!({"count": 33}))["isError"], true);
    assert_eq!(done(&board, "board_health", &json!({}))["hostname"], "greenhouse");
}

#[test]
fn the_processes_of_this_machine_are_seen_without_their_arguments() {
    let mut child = std::process::Command::new("sleep").arg("60.0625").spawn().unwrap();
    let board = Board::configured(OPEN);
    let text = call(&board, "top_processes", &json!({"count": 32})).to_string();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(text.contains("by_cpu") && !text.contains("60.0625"), "{text}");
}

#[test]
fn files_are_read_and_written_in_the_folders_that_are_listed_and_nowhere_else() {
    let (logs, notes) = (Folder::new(), Folder::new());
    fs::write(logs.path().join("app.log"), "one\ntwo\nthree\n").unwrap();
    fs::write(logs.path().join("picture.bin"), b"\x00\x01\xff").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", logs.path().join("leak")).unwrap();
    let folder = |name: &str, folder: &Folder, more: &str| {
        format!("[[folder]]\nname = \"{name}\"\npath = \"{}\"\n{more}", folder.path().display())
    };
    let board = Board::configured(&format!("{OPEN}{}{}", folder("logs", &logs, ""), folder("notes", &notes, "write = true\n")));
    let listed = done(&board, "list_files", &json!({"folder": "logs"}));
    let kinds: Vec<_> = listed["entries"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["file", "link", "file"]);
    assert_eq!(done(&board, "tail_file", &json!({"folder": "logs", "path": "app.log", "lines": 1}))["text"], "three\n");
    assert_eq!(done(&board, "read_file", &json!({"folder": "logs", "path": "app.log"}))["text"], "one\ntwo\nthree\n");
    let bytes = call(&board, "read_file", &json!({"folder": "logs", "path": "picture.bin"}));
    assert_eq!(
        bytes["content"][1]["resource"],
        json!({"uri": "folder://logs/picture.bin", "mimeType": "application/octet-stream", "blob": "AAH/"})
    );
    for path in ["leak", "../x", "/etc/passwd", "app.log/x", "none"] {
        let refused = call(&board, "read_file", &json!({"folder": "logs", "path": path}));
        assert!(refused["isError"] == true && !refused.to_string().contains("root:"), "{refused}");
    }
    let written = done(&board, "write_file", &json!({"folder": "notes", "path": "a b.md", "text": "# hi"}));
    assert_eq!((written["size_bytes"].as_u64(), written["is_replaced"].as_bool()), (Some(4), Some(false)));
    assert_eq!(fs::read_to_string(notes.path().join("a b.md")).unwrap(), "# hi");
    assert_eq!(call(&board, "write_file", &json!({"folder": "logs", "path": "x", "text": ""}))["isError"], true);
    assert_eq!(read(&board, "folder://notes/a%20b.md")["result"]["contents"][0]["text"], "# hi");
    assert!(read(&board, "folder://logs")["result"]["contents"][0]["text"].as_str().unwrap().contains("app.log"));
    for uri in ["folder://logs/leak", "folder://logs/..%2Fx", "folder://logs/%2Fetc%2Fpasswd", "folder://other/x"] {
        assert!(read(&board, uri)["error"].is_object(), "{uri}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_brings_no_tool_that_writes() {
    let logs = Folder::new();
    let board = Board::configured(&format!("{OPEN}[[folder]]\nname = \"logs\"\npath = \"{}\"\n", logs.path().display()));
    let tools = tools(&board);
    assert!(tools.contains(&"read_file".to_owned()) && !tools.contains(&"write_file".to_owned()), "{tools:?}");
}

#[test]
fn a_host_is_woken_by_its_name_and_no_other_can_be() {
    let ear = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    ear.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    let address = ear.local_addr().unwrap();
    let board = Board::configured(&format!("{OPEN}[wake.nas]\nmac = \"00:11:32:ab:cd:ef\"\nbroadcast = \"{address}\"\n"));
    assert_eq!(call(&board, "wake_host", &json!({"host": "00:11:32:ab:cd:ff"}))["isError"], true);
    let woken = done(&board, "wake_host", &json!({"host": "nas"}));
    assert_eq!(woken, json!({"host": "nas", "mac": "00:11:32:ab:cd:ef", "sent_to": address.to_string()}));
    let mut bytes = [0; 200];
    let (length, _) = ear.recv_from(&mut bytes).unwrap();
    assert_eq!((length, &bytes[96..102]), (102, &[0, 0x11, 0x32, 0xab, 0xcd, 0xef][..]));
}
