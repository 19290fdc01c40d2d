//! How to connect: what the home page and the start of the server tell a person to type, for this very address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::byte_serialize;

/// One way to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The client.
    pub(crate) title: &'static str,
    /// What to do with the text.
    pub(crate) note: String,
    /// To be copied as it stands.
    pub(crate) text: String,
    /// The certificate that it is about.
    pub(crate) ca: Option<Ca>,
    /// A link that does the same where the client is installed: its words, and its address.
    pub(crate) link: Option<(&'static str, String)>,
}

/// The certificate of the board's own CA, which `/ca.pem` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ca {
    /// The name under which to keep it.
    pub(crate) file: String,
    /// Its SHA-256 fingerprint.
    pub(crate) fingerprint: String,
}

/// Every way to connect to the server at `origin`, such as `http://localhost:8787`; `board` is the name that clients
/// get to see, `is_open` says that nobody signs in, and `fingerprint` is that of the board's own CA, if it has one.
pub(crate) fn blocks(origin: &str, board: &str, is_open: bool, fingerprint: Option<&str>) -> Vec<Block> {
    let name = client_side_name(board);
    let fingerprint = fingerprint.filter(|_| origin.starts_with("https://"));
    // The name of the file with the CA, where clients must be told to trust it.
    let ca = fingerprint.map(|_| format!("{name}-ca.pem"));
    let ca = ca.as_deref();
    let mut blocks = vec![
        claude_desktop(origin, &name, ca),
        claude_code(origin, &name, is_open, ca),
        cursor(origin, &name),
        vs_code(origin, &name),
        inspector(origin, ca),
        if is_open { curl_open(origin, ca) } else { curl(origin, ca) },
        older(origin),
    ];
    if is_plain_network(origin) && !is_open {
        blocks.insert(0, sign_in_by_code(origin));
    }
    if let (Some(ca), Some(fingerprint)) = (ca, fingerprint) {
        blocks.insert(0, trust(origin, ca, fingerprint));
    }
    // It needs neither.
    blocks.insert(0, bridge(origin, &name, fingerprint));
    blocks
}

/// What everything else needs: nobody has heard of the CA of this board. Node.js is there already, for mcp-remote.
fn trust(origin: &str, ca: &str, fingerprint: &str) -> Block {
    Block {
        title: "For the others, once: trust the board",
        note: "Fetch the certificate of the board's CA. What the second command prints must be the fingerprint that perchd \
               shows when it starts, on the board's terminal or in its log."
            .to_owned(),
        text: format!(
            "curl -k -o {ca} {origin}/ca.pem\n\
             node -p \"new crypto.X509Certificate(fs.readFileSync('{ca}')).fingerprint256\""
        ),
        ca: Some(Ca { file: ca.to_owned(), fingerprint: fingerprint.to_owned() }),
        link: None,
    }
}

/// By the same program on the computer of the client: it trusts the board by its fingerprint.
fn bridge(origin: &str, name: &str, fingerprint: Option<&str>) -> Block {
    let url = json(&format!("{origin}/mcp"));
    let pin = fingerprint.map(pin).map_or_else(String::new, |pin| format!(", \"--pin\", \"{pin}\""));
    let allow = if is_plain_network(origin) { ", \"--allow-http\"" } else { "" };
    Block {
        title: "Claude Desktop, by perchd",
        note: "Install perchd on the computer with Claude Desktop. There: Settings, Developer, Edit Config. Put this into \
               claude_desktop_config.json and start Claude Desktop anew."
            .to_owned(),
        text: format!(
            r#"{{
  "mcpServers": {{
    {}: {{
      "command": "perchd",
      "args": ["connect", {url}{pin}{allow}]
    }}
  }}
}}"#,
            json(name)
        ),
        ca: None,
        link: None,
    }
}

/// A fingerprint as `perchd connect --pin` takes it.
fn pin(fingerprint: &str) -> String {
    format!("sha256:{}", fingerprint.replace(':', "").to_ascii_lowercase())
}

/// The note says what a link does; the text is for who has none, or comes by a terminal.
fn cursor(origin: &str, name: &str) -> Block {
    let server = format!("{{\"url\":{}}}", json(&format!("{origin}/mcp")));
    let config = byte_serialize(STANDARD.encode(&server).as_bytes()).collect::<String>();
    Block {
        title: "Cursor",
        note: "The link opens Cursor. Or put this into ~/.cursor/mcp.json.".to_owned(),
        text: format!("{{ \"mcpServers\": {{ {}: {server} }} }}", json(name)),
        ca: None,
        link: Some(("Add to Cursor", format!("cursor://anysphere.cursor-deeplink/mcp/install?name={name}&config={config}"))),
    }
}

fn vs_code(origin: &str, name: &str) -> Block {
    let url = json(&format!("{origin}/mcp"));
    let server = format!("{{\"name\":{},\"type\":\"http\",\"url\":{url}}}", json(name));
    // A form would have `+` for a space, but there is none in it.
    let config = byte_serialize(server.as_bytes()).collect::<String>();
    Block {
        title: "VS Code",
        note: "The link opens VS Code. Or run this in a terminal.".to_owned(),
        text: format!("code --add-mcp '{server}'"),
        ca: None,
        link: Some(("Add to VS Code", format!("vscode:mcp/install?{config}"))),
    }
}

fn claude_desktop(origin: &str, name: &str, ca: Option<&str>) -> Block {
    let url = json(&format!("{origin}/mcp"));
    let allow = if is_plain_network(origin) { ", \"--allow-http\"" } else { "" };
    let path = ca.map_or_else(String::new, |ca| format!(" In place of /path/to, write where {ca} is."));
    let env = ca.map_or_else(String::new, |ca| format!(",\n      \"env\": {{ \"NODE_EXTRA_CA_CERTS\": \"/path/to/{ca}\" }}"));
    Block {
        title: "Claude Desktop, by mcp-remote",
        note: format!(
            "In Claude Desktop: Settings, Developer, Edit Config. Put this into claude_desktop_config.json and start Claude \
             Desktop anew. It needs Node.js 20 or later.{path}"
        ),
        text: format!(
            r#"{{
  "mcpServers": {{
    {}: {{
      "command": "npx",
      "args": [
        "-y", "mcp-remote@0.15.1",
        {url},
        "--auth-timeout", "120"{allow}
      ]{env}
    }}
  }}
}}"#,
            json(name)
        ),
        ca: None,
        link: None,
    }
}

fn claude_code(origin: &str, name: &str, is_open: bool, ca: Option<&str>) -> Block {
    let then = if is_open { "." } else { ", then sign in with /mcp inside Claude Code." };
    let trusting = ca.map_or_else(String::new, |ca| format!("\nNODE_EXTRA_CA_CERTS=\"$PWD/{ca}\" claude"));
    Block {
        title: "Claude Code",
        note: format!("In a terminal{then}"),
        text: format!("claude mcp add --transport http {name} {origin}/mcp{trusting}"),
        ca: None,
        link: None,
    }
}

fn inspector(origin: &str, ca: Option<&str>) -> Block {
    let trusting = ca.map_or_else(String::new, |ca| format!("NODE_EXTRA_CA_CERTS={ca} "));
    Block {
        title: "MCP Inspector",
        note: format!(
            "The first command lists the tools in a terminal. The second opens a web page: choose Streamable HTTP and {origin}/mcp."
        ),
        text: format!(
            "{trusting}npx @modelcontextprotocol/inspector@2.12.0 --cli {origin}/mcp --transport http --method tools/list\n\
             {trusting}npx @modelcontextprotocol/inspector@2.12.0"
        ),
        ca: None,
        link: None,
    }
}

fn curl(origin: &str, ca: Option<&str>) -> Block {
    let trusting = ca.map_or_else(String::new, |ca| format!("--cacert {ca} "));
    Block {
        title: "curl",
        note: "The first answer is a 401 that says where to sign in; the second is what clients read there.".to_owned(),
        text: format!("curl {trusting}-i {origin}/mcp\ncurl {trusting}{origin}/.well-known/oauth-protected-resource/mcp"),
        ca: None,
        link: None,
    }
}

fn curl_open(origin: &str, ca: Option<&str>) -> Block {
    let trusting = ca.map_or_else(String::new, |ca| format!("--cacert {ca} "));
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"8"}}}"#;
    Block {
        title: "curl",
        note: "Says hello as a client does.".to_owned(),
        text: format!(
            "curl {trusting}-i {origin}/mcp -H 'Content-Type: application/json' \\\n  -H 'Accept: application/json, text/event-stream' \\\n  -d '{hello}'"
        ),
        ca: None,
        link: None,
    }
}

fn older(origin: &str) -> Block {
    Block {
        title: "Older clients",
        note: "Clients of the revision 2024-11-05 use HTTP with server-sent events at this address.".to_owned(),
        text: format!("{origin}/sse"),
        ca: None,
        link: None,
    }
}

/// mcp-remote and the Inspector send no token over plain HTTP beyond this computer, except one that a code brought.
fn sign_in_by_code(origin: &str) -> Block {
    Block {
        title: "For the others, once a day: sign in with a code",
        note: "This board speaks plain HTTP, over which programs refuse to sign in by browser. This command shows a code to \
               sign in with, and keeps what it gets for Claude Desktop. That is good for a day."
            .to_owned(),
        text: format!("npx -y -p mcp-remote@0.15.1 mcp-remote-client {origin}/mcp --allow-http --device-code"),
        ca: None,
        link: None,
    }
}

/// The board's name as clients and shells take it: Claude Code wants letters, digits, `-` and `_`.
fn client_side_name(board: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = board.chars().map(|c| if is_kept(c) { c } else { '-' }).take(64).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "perchd".to_owned() } else { name.to_owned() }
}

/// Whether what is sent to `origin` can be read on the way.
fn is_plain_network(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return false };
    let is_here = |host: &str| authority.strip_prefix(host).is_some_and(|port| port.is_empty() || port.starts_with(':'));
    !["localhost", "127.0.0.1", "[::1]"].into_iter().any(is_here)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "http://localhost:8787";

    fn text(blocks: &[Block], title: &str) -> String {
        blocks.iter().find(|block| block.title == title).unwrap().text.clone()
    }

    #[test]
    fn the_desktop_configuration_is_json_whatever_the_board_is_called() {
        for (board, name) in
            [("kitchen", "kitchen"), ("my \"pi\"; rm -rf /", "my--pi---rm--rf"), ("Küche", "K-che"), ("", "perchd")]
        {
            let text = text(&blocks(HERE, board, false, None), "Claude Desktop, by mcp-remote");
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let args = serde_json::json!(["-y", "mcp-remote@0.15.1", "http://localhost:8787/mcp", "--auth-timeout", "120"]);
            assert_eq!(json["mcpServers"][name], serde_json::json!({ "command": "npx", "args": args }), "{text}");
        }
    }

    #[test]
    fn links_hold_what_their_clients_read() {
        let blocks = blocks("https://kitchen.local:8787", "K\u{fc}che", false, Some("AB:CD"));
        let link = |title: &str| blocks.iter().find(|block| block.title == title).unwrap().link.clone().unwrap().1;
        let json = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        let cursor = link("Cursor");
        let config = cursor.strip_prefix("cursor://anysphere.cursor-deeplink/mcp/install?").unwrap();
        let fields: Vec<_> = form_urlencoded::parse(config.as_bytes()).collect();
        assert_eq!((fields[0].0.as_ref(), fields[0].1.as_ref(), fields[1].0.as_ref()), ("name", "K-che", "config"));
        let url = "https://kitchen.local:8787/mcp";
        assert_eq!(json(&STANDARD.decode(fields[1].1.as_bytes()).unwrap()), serde_json::json!({ "url": url }));
        let vs_code = link("VS Code");
        let config = vs_code.strip_prefix("vscode:mcp/install?").unwrap();
        assert!(!config.contains('+') && !config.contains('&'), "{config}");
        let (server, _) = form_urlencoded::parse(config.as_bytes()).next().unwrap();
        assert_eq!(json(server.as_bytes()), serde_json::json!({ "name": "K-che", "type": "http", "url": url }));
    }

    #[test]
    fn a_name_that_a_shell_would_run_never_reaches_one() {
        let text = text(&blocks(HERE, "$(reboot)`x`", false, None), "Claude Code");
        assert_eq!(text, "claude mcp add --transport http reboot--x http://localhost:8787/mcp");
    }

    #[test]
    fn each_block_names_this_very_address() {
        for origin in [HERE, "https://kitchen.local", "http://192.168.1.20:8787"] {
            for is_open in [true, false] {
                for block in blocks(origin, "kitchen", is_open, None) {
                    assert!(block.text.contains(origin), "{block:?}");
                    assert!(!block.note.is_empty() && !block.text.ends_with('\n'), "{block:?}");
                }
            }
        }
    }

    #[test]
    fn plain_http_beyond_this_computer_is_signed_in_to_by_code() {
        let titles = |origin: &str| blocks(origin, "b", false, None).iter().map(|block| block.title).collect::<Vec<_>>();
        assert_eq!(titles("http://192.168.1.20:8787")[1], "For the others, once a day: sign in with a code");
        assert_eq!(titles("http://localhost.example.com")[1], "For the others, once a day: sign in with a code");
        for origin in [HERE, "http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "https://192.168.1.20"] {
            assert_eq!(titles(origin)[1], "Claude Desktop, by mcp-remote", "{origin}");
        }
        assert!(
            text(&blocks("http://192.168.1.20:8787", "b", false, None), "Claude Desktop, by mcp-remote")
                .contains("\"120\", \"--allow-http\"")
        );
    }

    #[test]
    fn an_open_server_speaks_of_no_sign_in() {
        for block in blocks(HERE, "b", true, None) {
            assert!(!block.note.contains("sign in") && !block.text.contains("oauth"), "{block:?}");
        }
    }

    #[test]
    fn every_client_is_told_to_trust_the_boards_own_ca() {
        for is_open in [true, false] {
            let blocks = blocks("https://kitchen.local:8787", "kitchen", is_open, Some("AB:CD"));
            assert_eq!(blocks[1].title, "For the others, once: trust the board");
            let ca = blocks[1].ca.as_ref().unwrap();
            assert_eq!((ca.file.as_str(), ca.fingerprint.as_str()), ("kitchen-ca.pem", "AB:CD"));
            for block in blocks.iter().filter(|block| block.title != "Older clients") {
                // Cursor and VS Code trust what their computer trusts.
                let is_trusting = block.text.contains("kitchen-ca.pem") || block.text.contains("\"--pin\", \"sha256:abcd\"");
                assert!(is_trusting || block.link.is_some(), "{block:?}");
                assert!(block.text.contains("https://kitchen.local:8787"), "{block:?}");
            }
            let json: serde_json::Value = serde_json::from_str(&text(&blocks, "Claude Desktop, by mcp-remote")).unwrap();
            assert_eq!(json["mcpServers"]["kitchen"]["env"]["NODE_EXTRA_CA_CERTS"], "/path/to/kitchen-ca.pem");
        }
        // What stands on a page that came plain is for plain HTTP.
        assert_eq!(blocks(HERE, "kitchen", false, Some("AB:CD")), blocks(HERE, "kitchen", false, None));
    }
}
