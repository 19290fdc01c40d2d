//! The units of systemd, through stand-ins for `systemctl` and `journalctl`: what they are called with, and what becomes of
//! whatever they print.

use crate::board::{Board, Folder, command};
use crate::wire::{ask, rpc};
use perchd::limits;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Notes each of its words, and does what the unit is called for.
const SYSTEMCTL: &str = r#"
cd "$(dirname "$0")"
{ printf '%s\n' "$@"; printf 'LC_ALL=%s TZ=%s SYSTEMD_COLORS=%s\n' "$LC_ALL" "$TZ" "$SYSTEMD_COLORS"; } > systemctl.called
action=$1
while [ "$1" != -- ]; do shift; done
shift
tell() {
    printf 'MainPID=812\nNRestarts=2\nMemoryCurrent=1048576\nResult=%s\nId=%s\n' "$3" "$1"
    printf 'Description=About %s\nLoadState=loaded\nActiveState=%s\nSubState=dead\nUnitFileState=enabled\n' "$1" "$2"
    printf 'ActiveEnterTimestamp=Tue 2026-11-24 03:36:17 UTC\n\n'
}
if [ "$action" = show ]; then
    for unit; do
        case $unit in
            web.service) tell "$unit" "$(cat web 2>&- || echo active)" success ;;
            broken.service) tell "$unit" failed exit-code ;;
            alias.service) tell real.service active success ;;
            none.service) printf 'Id=none.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n\n' ;;
            silent.service) ;;
            huge.service) printf 'Id='; head -c 1000000 /dev/zero | tr '\0' x ;;
            binary.service) head -c 60000 /dev/urandom; printf '\nId=\033]0;\377\0binary\n' ;;
            down.service) echo "System has not been booted with systemd" >&2; exit 1 ;;
            '*.service') for n in $(seq 300); do tell "unit$n.service" active success; done ;;
            *) tell "$unit" active success ;;
        esac
    done
    exit 0
fi
case $1 in
    denied.service)
        echo "Failed to $action denied.service: Interactive authentication required." >&2
        exit 4 ;;
    broken.service)
        echo "Job for broken.service failed because the control process exited with error code." >&2
        exit 1 ;;
esac
case $action in stop) echo inactive ;; *) echo active ;; esac > web
"#;

/// Notes its words, and prints what lies ready in a file.
const JOURNALCTL: &str = r#"
cd "$(dirname "$0")"
printf '%s\n' "$@" > journalctl.called
[ -e stderr ] && cat stderr >&2
cat journal 2>&-
exit "$(cat code 2>&- || echo 0)"
"#;

/// The table with stand-ins for its programs, in a folder of their own.
fn table(folder: &Path, keys: &str) -> String {
    for (name, script) in [("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)] {
        fs::write(folder.join(name), script).unwrap();
    }
    let line = |name: &str| format!("{name} = [\"/bin/sh\", \"{}\"]\n", folder.join(name).display());
    format!("[auth]\nmode = \"open\"\n[services]\n{keys}\n{}{}", line("systemctl"), line("journalctl"))
}

fn board(keys: &str) -> (Board, Folder) {
    let folder = Folder::new();
    let board = Board::configured(&table(folder.path(), keys));
    (board, folder)
}

const UNITS: &str = r#"units = ["web.service", "alias.service", "none.service", "silent.service", "huge.service", "binary.service",
    "down.service"]
control = ["web.service", "broken.service", "denied.service"]"#;

fn call(board: &Board, name: &str, arguments: &Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}});
    let headers = ["content-type: application/json", "mcp-protocol-version: 2025-11-25"];
    let reply = ask(board.port, "POST /mcp", &headers, &message.to_string()).json();
    assert!(reply["result"].is_object(), "{reply}");
    reply["result"].clone()
}

/// The structured content of a result that is no error.
fn told(result: &Value) -> &Value {
    assert_eq!(result["isError"], false, "{result}");
    &result["structuredContent"]
}

/// The text of a result that is one.
fn refusal(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap()
}

fn tools(board: &Board) -> Vec<Value> {
    let reply = rpc(board.port, r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}"#).json();
    reply["result"]["tools"].as_array().unwrap().clone()
}

fn words(folder: &Folder, program: &str) -> Vec<String> {
    let called = fs::read_to_string(folder.path().join(format!("{program}.called"))).unwrap();
    called.lines().map(str::to_owned).collect()
}

#[test]
fn there_are_no_such_tools_until_units_are_named() {
    let named = |board: &Board| -> Vec<String> {
        let has = ["list_services", "service_status", "read_journal", "control_service"];
        let tools = tools(board).into_iter().map(|tool| tool["name"].as_str().unwrap().to_owned());
        tools.filter(|name| has.contains(&name.as_str())).collect()
    };
    assert!(named(&Board::start("open")).is_empty());
    let (board, _folder) = board("units = [\"web.service\"]");
    assert_eq!(
        named(&board),
        ["list_services", "service_status", "read_journal"].map(str::to_owned).as_slice(),
        "nothing is controlled"
    );
}

#[test]
fn what_is_not_named_is_refused_before_anything_runs() {
    let (board, folder) = board(UNITS);
    for unit in ["ssh.service", "broken", "*.service", "web.service ", "--all", "web.service\n", "", "../web.service"] {
        let asked = json!({ "unit": unit });
        for tool in ["service_status", "read_journal"] {
            assert!(refusal(&call(&board, tool, &asked)).starts_with("Argument `unit` is "), "{unit}");
        }
        let acted = call(&board, "control_service", &json!({"unit": unit, "action": "stop"}));
        assert!(refusal(&acted).starts_with("Argument `unit` is "), "{unit}");
    }
    // What may be seen may not be stopped.
    assert!(
        refusal(&call(&board, "control_service", &json!({"unit": "alias.service", "action": "stop"})))
            .contains("one of web.service")
    );
    for action in ["reload", "kill", "mask", "stop --now", ""] {
        let acted = call(&board, "control_service", &json!({"unit": "web.service", "action": action}));
        assert!(refusal(&acted).starts_with("Argument `action` is "), "{action}");
    }
    for called in ["systemctl.called", "journalctl.called"] {
        assert!(!folder.path().join(called).exists(), "{called}");
    }
}

#[test]
fn where_all_may_be_seen_a_name_is_still_one_name() {
    let (board, folder) = board("all = true");
    for unit in ["*", "*.service", "web", "--host=evil.service.x", "a b.service", "a@.service", "$(x).service"] {
        assert!(refusal(&call(&board, "service_status", &json!({ "unit": unit }))).contains("no full name of a unit"), "{unit}");
    }
    assert!(!folder.path().join("systemctl.called").exists());
    assert_eq!(told(&call(&board, "service_status", &json!({"unit": "web.service"})))["active"], "active");
    let listed = call(&board, "list_services", &json!({}));
    let services = told(&listed)["services"].as_array().unwrap();
    assert!(!services.is_empty() && services.len() <= limits::SERVICES_LISTED, "{}", services.len());
    assert_eq!(told(&listed)["is_cut"], true);
    assert!(tools(&board).iter().all(|tool| tool["name"] != "control_service"), "to see all is not to stop any");
}

#[test]
fn a_status_is_told_in_words_and_as_structure() {
    let (board, folder) = board(UNITS);
    let result = call(&board, "service_status", &json!({"unit": "web.service"}));
    assert_eq!(
        *told(&result),
        json!({
            "unit": "web.service", "description": "About web.service", "load": "loaded", "active": "active", "sub": "dead",
            "enabled": "enabled", "since": "2026-11-24T03:36:17Z", "main_pid": 812, "memory_bytes": 1_048_576, "restarts": 2,
            "result": "success",
        })
    );
    assert!(result["content"][0]["text"].as_str().unwrap().starts_with("web.service: active (dead) since 2026-11-24T03:36:17Z"));
    let called = words(&folder, "systemctl");
    assert!(called[0] == "show" && called[1].starts_with("--property=Id,"), "{called:?}");
    assert_eq!(called[2..], ["--no-pager", "--", "web.service", "LC_ALL=C TZ=UTC0 SYSTEMD_COLORS=0"]);
    assert_eq!(told(&call(&board, "service_status", &json!({"unit": "alias.service"})))["unit"], "alias.service");
}

#[test]
fn whatever_systemctl_prints_a_call_is_answered() {
    let (board, _folder) = board(UNITS);
    let status = |unit: &str| call(&board, "service_status", &json!({ "unit": unit }));
    assert_eq!(refusal(&status("none.service")), "The board has no unit none.service.");
    assert_eq!(refusal(&status("silent.service")), "systemd said nothing about silent.service.");
    assert!(refusal(&status("huge.service")).contains("said nothing"), "what is cut is not whole");
    assert!(refusal(&status("down.service")).ends_with("Its stderr ended with:\nSystem has not been booted with systemd"));
    let binary = status("binary.service").to_string();
    assert!(binary.len() < 8192 && !binary.contains("\\u001b") && !binary.contains("\\u0000"), "{binary}");
}

#[test]
fn services_are_listed_by_their_state() {
    let (board, _folder) = board("units = [\"web.service\", \"broken.service\", \"none.service\"]");
    let names = |arguments: Value| -> Vec<Value> {
        let listed = call(&board, "list_services", &arguments);
        told(&listed)["services"].as_array().unwrap().iter().map(|service| service["unit"].clone()).collect()
    };
    assert_eq!(names(json!({})), ["web.service", "broken.service", "none.service"]);
    assert_eq!(names(json!({"state": "failed"})), ["broken.service"]);
    let none = call(&board, "list_services", &json!({"state": "activating"}));
    assert_eq!(none["content"][0]["text"], "There is no such service.");
}

#[test]
fn a_service_is_stopped_and_started_and_its_new_state_told() {
    let (board, folder) = board(UNITS);
    for (action, state) in [("stop", "inactive"), ("start", "active"), ("restart", "active")] {
        let result = call(&board, "control_service", &json!({"unit": "web.service", "action": action}));
        assert_eq!((&told(&result)["unit"], &told(&result)["active"]), (&json!("web.service"), &json!(state)), "{action}");
        assert!(result["content"][0]["text"].as_str().unwrap().starts_with(&format!("Done: {action}.")), "{result}");
        assert_eq!(fs::read_to_string(folder.path().join("web")).unwrap().trim(), state);
    }
    let tool = tools(&board).into_iter().find(|tool| tool["name"] == "control_service").unwrap();
    assert_eq!((&tool["annotations"]["destructiveHint"], &tool["annotations"]["readOnlyHint"]), (&json!(true), &json!(false)));
    assert_eq!(tool["inputSchema"]["properties"]["unit"]["enum"], json!(["web.service", "broken.service", "denied.service"]));
}

#[test]
fn what_goes_wrong_with_a_start_is_told_with_what_to_do() {
    let (board, folder) = board(UNITS);
    let denied = call(&board, "control_service", &json!({"unit": "denied.service", "action": "restart"}));
    assert!(refusal(&denied).starts_with("Nothing was done: the board (polkit) does not let perchd restart denied.service."));
    assert!(refusal(&denied).contains("perchd polkit |"), "{denied}");
    assert_eq!(words(&folder, "systemctl")[..5], ["restart", "--no-ask-password", "--no-pager", "--", "denied.service"]);
    let failed = call(&board, "control_service", &json!({"unit": "broken.service", "action": "start"}));
    let text = refusal(&failed);
    assert!(text.contains("exit code 1") && text.contains("control process exited with error code"), "{text}");
    assert!(text.contains("Now it is so:\nbroken.service: failed (dead)") && text.contains("result exit-code"), "{text}");
}

#[test]
fn services_are_not_stopped_and_started_without_end() {
    let (board, _folder) = board(UNITS);
    let stop = json!({"unit": "web.service", "action": "stop"});
    let results: Vec<Value> = (0..limits::SYSTEMD_CONTROLS + 3).map(|_| call(&board, "control_service", &stop)).collect();
    assert!(results[..limits::SYSTEMD_CONTROLS as usize].iter().all(|result| result["isError"] == false));
    assert!(refusal(results.last().unwrap()).starts_with("`control_service` may not run that often."));
    assert!(told(&call(&board, "service_status", &json!({"unit": "web.service"}))).is_object(), "one can still look");
}

#[test]
fn the_journal_is_asked_for_what_is_wanted() {
    let (board, folder) = board(UNITS);
    for (name, value) in [
        ("since", json!("yesterday")),
        ("since", json!("2026-11-24; reboot")),
        ("until", json!("-1h")),
        ("priority", json!("3")),
        ("priority", json!("error")),
        ("lines", json!(0)),
        ("lines", json!(201)),
        ("search", json!("")),
        ("search", json!("x".repeat(201))),
        ("search", json!("a\0b")),
    ] {
        let mut asked = json!({"unit": "web.service"});
        asked[name] = value;
        let refused = call(&board, "read_journal", &asked);
        assert!(refusal(&refused).starts_with(&format!("Argument `{name}` ")), "{refused}");
    }
    assert!(!folder.path().join("journalctl.called").exists());
    fs::write(folder.path().join("journal"), "{\"MESSAGE\":\"newer\"}\n{\"MESSAGE\":\"older\",\"_UID\":\"0\"}\n").unwrap();
    let asked = json!({"unit": "web.service", "lines": 7, "since": "2h", "until": "2026-11-24T03:36:17Z", "priority": "err",
        "search": "--vacuum-time=1s"});
    let result = call(&board, "read_journal", &asked);
    let entry = |message: &str| json!({"message": message, "is_cut": false});
    assert_eq!(
        *told(&result),
        json!({"unit": "web.service", "entries": [entry("older"), entry("newer")], "is_cut": false}),
        "the oldest first"
    );
    assert_eq!(
        words(&folder, "journalctl"),
        [
            "--output=json",
            "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_PID",
            "--no-pager",
            "--reverse",
            "--lines=7",
            "--unit=web.service",
            "--since=-2h",
            "--until=2026-11-24 03:36:17",
            "--priority=err",
            "--grep=--vacuum-time=1s",
        ]
    );
}

#[test]
fn whatever_journalctl_prints_a_call_is_answered() {
    let (board, folder) = board(UNITS);
    let asked = json!({"unit": "web.service"});
    let line = |text: &str| format!("{{\"MESSAGE\":\"{text}\"}}\n");
    let printed: [(Vec<u8>, usize, u64, bool); 6] = [
        (Vec::new(), 0, 0, false),
        (b"-- No entries --\n".to_vec(), 0, 0, false),
        (b"no json\n\xff\xfe\0\n{\"MESSAGE\":[27,255]}\n".to_vec(), 1, 2, false),
        ([line(&"x".repeat(100_000)), line("good")].concat().into_bytes(), 1, 1, false),
        (line(&"x".repeat(2000)).repeat(1000).into_bytes(), limits::JOURNAL_MESSAGES_BYTES / 2000, 0, true),
        (vec![b'['; 1_000_000], 0, 0, true),
    ];
    for (bytes, entries, unreadable, is_cut) in printed {
        fs::write(folder.path().join("journal"), &bytes).unwrap();
        let result = call(&board, "read_journal", &asked);
        let journal = told(&result);
        let seen =
            (journal["entries"].as_array().unwrap().len(), journal["unreadable"].as_u64().unwrap_or(0), &journal["is_cut"]);
        assert_eq!(seen, (entries, unreadable, &json!(is_cut)), "{:?}", &bytes[..bytes.len().min(40)]);
        assert!(!result.to_string().contains("\\u001b"));
    }
}

#[test]
fn a_journal_that_cannot_be_read_is_told_with_what_to_do() {
    let (board, folder) = board(UNITS);
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let read = |more: Value| {
        let mut asked = json!({"unit": "web.service"});
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&board, "read_journal", &asked)
    };
    write("code", "1");
    assert!(told(&read(json!({"search": "nothing"})))["entries"].as_array().unwrap().is_empty(), "a search may find nothing");
    assert_eq!(refusal(&read(json!({}))), "The command ended with the exit code 1.");
    write("stderr", "No journal files were opened due to insufficient permissions.\n");
    for more in [json!({}), json!({"search": "nothing"})] {
        let refused = read(more);
        assert!(refusal(&refused).contains("exit code 1") && refusal(&refused).contains("systemd-journal"), "{refused}");
    }
    write("code", "0");
    write("stderr", "Hint: You are currently not seeing messages from other users and the system.\n");
    let result = read(json!({}));
    assert!(told(&result)["note"].as_str().unwrap().contains("systemd-journal"), "{result}");
}

#[test]
fn the_rule_for_polkit_allows_what_is_controlled_and_no_more() {
    let folder = Folder::new();
    let file = folder.path().join("perchd.toml");
    let polkit = |toml: &str, more: &[&str]| {
        fs::write(&file, toml).unwrap();
        let output = command().arg("polkit").arg("--config").arg(&file).args(more).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let nothing = table(folder.path(), "units = [\"web.service\"]");
    let (code, stdout, stderr) = polkit(&nothing, &[]);
    assert_eq!((code, stdout.as_str()), (Some(78), ""));
    assert!(stderr.contains("nothing to allow") && stderr.contains("control = ["), "{stderr}");
    let some = table(folder.path(), "units = [\"seen.service\"]\ncontrol = ['dev-\\x2d.swap', \"web.service\"]");
    let (code, stdout, stderr) = polkit(&some, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in [
        "var user = \"perchd\";",
        r#"var units = ["dev-\\x2d.swap","web.service"];"#,
        "var verbs = [\"start\", \"stop\", \"restart\"];",
    ] {
        assert!(stdout.lines().any(|shown| shown.trim() == line), "{line}: {stdout}");
    }
    assert!(!stdout.contains("seen.service"), "{stdout}");
    assert!(polkit(&some, &["--user", "board"]).1.contains("var user = \"board\";"));
    assert_eq!(polkit(&some, &["--user", "a b"]).0, Some(64));
    assert_eq!(polkit(&some, &["more"]).0, Some(64));
}
