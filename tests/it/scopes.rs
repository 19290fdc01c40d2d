//! What a token's scopes cover, of everything that a board offers: tools, resources and prompts. The rest is not there, and to ask
//! for it brings the scope that is missing.

use crate::board::Board;
use crate::sign_in::{Client, Tokens};
use serde_json::{Value, json};

const ONE_OF_EACH: &str = r#"
[auth]
mode = "demo"

[[tool]]
name = "release"
about = "Says what runs here"
scope = "word:tool"
effect = "read"
run = ["/bin/cat", "/etc/os-release"]

[[resource]]
uri = "board://release"
name = "release"
scope = "word:resource"
file = "/etc/os-release"

[[prompt]]
name = "diagnose"
about = "Asks for a diagnosis"
scope = "word:prompt"
text = "What ails this board?"
"#;

/// The list, its member, what is asked for of it, and the scope of that.
const KINDS: [(&str, &str, &str, &str, &str); 3] = [
    ("tools/list", "tools", "tools/call", r#"{"name":"release","arguments":{}}"#, "word:tool"),
    ("resources/list", "resources", "resources/read", r#"{"uri":"board://release"}"#, "word:resource"),
    ("prompts/list", "prompts", "prompts/get", r#"{"name":"diagnose"}"#, "word:prompt"),
];

fn message(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{params}}}"#)
}

fn count(board: &Board, tokens: &Tokens, list: &str, member: &str) -> usize {
    let listed: Value = tokens.rpc(board.port, &message(list, "{}")).json();
    listed["result"][member].as_array().unwrap().len()
}

#[test]
fn tools_resources_and_prompts_are_there_for_those_whose_token_covers_them() {
    let board = Board::configured(ONE_OF_EACH);
    let client = Client::register(board.port);
    for scope in KINDS.map(|(.., scope)| scope) {
        let tokens = client.sign_in(scope, &[scope]);
        assert_eq!(tokens.scope, scope);
        for (list, member, method, params, needed) in KINDS {
            let is_covered = scope == needed;
            assert_eq!(count(&board, &tokens, list, member), usize::from(is_covered), "{scope}: {list}");
            let reply = tokens.rpc(board.port, &message(method, params));
            if is_covered {
                assert_eq!((reply.status, reply.json()["result"].is_object()), (200, true), "{reply:?}");
                continue;
            }
            // RFC 6750 3.1, and the scope to ask for.
            assert_eq!((reply.status, &reply.json()["id"]), (403, &json!(7)), "{scope}: {method}: {reply:?}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.ends_with(&format!("scope=\"{needed}\"")), "{challenge}");
        }
    }
}

#[test]
fn who_signs_in_anew_for_the_scope_that_was_missing_has_it() {
    let board = Board::configured(ONE_OF_EACH);
    let client = Client::register(board.port);
    let few = client.sign_in("ada", &["word:tool"]);
    let get = message("prompts/get", r#"{"name":"diagnose"}"#);
    assert_eq!(few.rpc(board.port, &get).status, 403);
    let more = client.sign_in("ada", &["word:tool", "word:prompt"]);
    assert_eq!(more.rpc(board.port, &get).status, 200);
    assert!(!few.is_good(board.port), "the older sign-in has given way");
}
