//! TLS and plain HTTP on one port: with the board's own CA, with the operator's certificate, and without either's patience.

use crate::board::{Board, Folder, command};
use crate::wire::{Wire, ask, request};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const OWN: &str = "names = [\"greenhouse.local\", \"127.0.0.2\"]\n[auth]\nmode = \"open\"\n[tls]\nmode = \"own\"\n";
const DEMO: &str = "[auth]\nmode = \"demo\"\n[tls]\nmode = \"own\"\n";
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

pub(crate) fn ca(board: &Board) -> PathBuf {
    board.state().join("ca.pem")
}

/// A client that trusts the CA in this file.
pub(crate) fn trusting(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let mut client = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(client)
}

pub(crate) fn over_tls(client: &Arc<ClientConfig>, name: &str, port: u16) -> Wire {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    Wire::over(socket, |socket| Box::new(StreamOwned::new(session, socket)))
}

/// What curl prints, with the status behind it; or how it fails.
pub(crate) fn curl(arguments: &[&str]) -> Result<String, i32> {
    let output = Command::new("curl").args(["-sS", "-w", " %{http_code}"]).args(arguments).output().unwrap();
    if output.status.success() { Ok(String::from_utf8(output.stdout).unwrap()) } else { Err(output.status.code().unwrap()) }
}

#[test]
fn a_client_that_trusts_the_ca_comes_in_by_every_name_and_address() {
    let board = Board::configured(OWN);
    let (ca, port) = (ca(&board), board.port);
    let ca = ca.to_str().unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_ascii_lowercase();
    for name in ["localhost", "127.0.0.1", "127.0.0.2", "greenhouse.local", &host, &format!("{host}.local")] {
        let (resolve, to) = (format!("{name}:{port}:127.0.0.1"), format!("{name}:{port}:127.0.0.1:{port}"));
        let metadata = format!("https://{name}:{port}/ca.pem");
        let arguments = ["--cacert", ca, "--resolve", &resolve, "--connect-to", &to, &metadata];
        let told = curl(&arguments).unwrap_or_else(|code| panic!("{name}: {code}"));
        assert_eq!(told, format!("{} 200", fs::read_to_string(ca).unwrap()), "{name}");
    }
    let foreign = format!("https://other.local:{port}/");
    let to = format!("other.local:{port}:127.0.0.1:{port}");
    assert_eq!(curl(&["--cacert", ca, "--connect-to", &to, &foreign]), Err(60), "a name that is not in the certificate");
    let nothing = format!("https://localhost:{port}/nothing");
    assert_eq!(curl(&["--cacert", ca, &nothing]).unwrap().split(' ').next_back(), Some("404"));
    assert_eq!(curl(&["--tls-max", "1.2", "--cacert", ca, &nothing]), Err(35), "an older TLS");
}

#[test]
fn another_ca_is_not_trusted() {
    let (board, other) = (Board::configured(OWN), Board::configured(OWN));
    let mut wire = over_tls(&trusting(&ca(&other)), "localhost", board.port);
    let refused = wire.send(&request(board.port, "GET /", &[], "")).unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
}

#[test]
fn the_fingerprint_is_shown_where_people_compare_it() {
    let board = Board::configured(OWN);
    let openssl =
        Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(ca(&board)).output().unwrap();
    let openssl = String::from_utf8(openssl.stdout).unwrap();
    let fingerprint = openssl.trim().split_once('=').unwrap().1;
    assert!(board.greeting.contains(fingerprint), "{}", board.greeting);
    assert!(board.greeting.contains(&format!("https://localhost:{}/mcp", board.port)), "{}", board.greeting);
    let mut wire = over_tls(&trusting(&ca(&board)), "localhost", board.port);
    wire.send(&request(board.port, "GET /", &["accept: text/html"], "")).unwrap();
    let page = wire.reply().unwrap();
    assert!(page.body.contains(fingerprint) && page.body.contains("NODE_EXTRA_CA_CERTS"), "{}", page.body);
    assert_eq!(page.header("strict-transport-security"), None, "a name of a LAN may be somebody else's tomorrow");
    assert!(board.told().contains(fingerprint));
}

#[test]
fn plain_http_goes_on_within_this_machine() {
    let board = Board::configured(OWN);
    let reply = ask(board.port, "POST /mcp", &["content-type: application/json"], PING);
    assert_eq!(reply.status, 200);
    let ca = ask(board.port, "GET /ca.pem", &[], "");
    assert_eq!((ca.status, ca.header("content-type")), (200, Some("application/x-pem-file")));
    assert_eq!(ca.body, fs::read_to_string(board.state().join("ca.pem")).unwrap());
    assert_eq!(ask(board.port, "POST /ca.pem", &[], "x").status, 405);
    let bare = Board::start("open");
    assert_eq!(ask(bare.port, "GET /ca.pem", &[], "").status, 404);
}

#[test]
fn whoever_comes_over_tls_is_told_https_and_gets_a_cookie_for_it() {
    let board = Board::configured(DEMO);
    let client = trusting(&ca(&board));
    let get = |path: &str, headers: &[&str]| {
        let mut wire = over_tls(&client, "localhost", board.port);
        wire.send(&request(board.port, &format!("GET {path}"), headers, "")).unwrap();
        wire.reply().unwrap()
    };
    let origin = format!("https://localhost:{}", board.port);
    assert_eq!(get("/.well-known/oauth-authorization-server", &[]).json()["issuer"], origin);
    let challenge = get("/mcp", &[]);
    assert_eq!(challenge.status, 401);
    let challenge = challenge.header("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains(&format!("{origin}/.well-known/oauth-protected-resource/mcp")), "{challenge}");
    let register = r#"{"redirect_uris":["http://localhost/done"]}"#;
    let client_id = ask(board.port, "POST /register", &["content-type: application/json"], register).json();
    let query = format!(
        "/authorize?response_type=code&client_id={}&redirect_uri=http://localhost/done&code_challenge_method=S256&code_challenge={}",
        client_id["client_id"].as_str().unwrap(),
        "A".repeat(43)
    );
    let cookie = |reply: &crate::wire::Reply| reply.header("set-cookie").unwrap().to_owned();
    let secure = cookie(&get(&query, &[]));
    assert!(secure.starts_with("__Host-perchd=") && secure.contains("; Secure") && secure.contains("Path=/;"), "{secure}");
    let plain = cookie(&ask(board.port, &format!("GET {query}"), &[], ""));
    assert!(plain.starts_with("perchd=") && !plain.contains("Secure"), "{plain}");
    // The browser that has one keeps it; one under the name that anybody could set is nobody's.
    let value = secure.split(['=', ';']).nth(1).unwrap();
    assert!(cookie(&get(&query, &[&format!("cookie: __Host-perchd={value}")])).contains(value));
    assert!(!cookie(&get(&query, &[&format!("cookie: perchd={value}")])).contains(value));
}

#[test]
fn a_stream_and_its_messages_go_over_tls() {
    let board = Board::configured(OWN);
    let client = trusting(&ca(&board));
    let mut stream = over_tls(&client, "localhost", board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    let endpoint = stream.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let mut post = over_tls(&client, "localhost", board.port);
    for id in 1..=50 {
        let ping = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        post.send(&request(board.port, &format!("POST {path}"), &["content-type: application/json"], &ping)).unwrap();
        assert_eq!(post.reply().unwrap().status, 202);
        assert!(stream.event().unwrap().unwrap().contains(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)));
    }
    board.terminate();
    assert_eq!(stream.chunk().unwrap(), None, "a clean end");
    assert!(stream.is_closed());
}

#[test]
fn a_reader_over_tls_that_takes_nothing_does_not_hold_its_place() {
    let board = Board::configured(OWN);
    let client = trusting(&ca(&board));
    let mut stream = over_tls(&client, "localhost", board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    stream.head().unwrap();
    let endpoint = stream.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let is_cut_off =
        (0..20_000).any(|_| ask(board.port, &format!("POST {path}"), &["content-type: application/json"], list).status == 404);
    assert!(is_cut_off, "nothing ends a stream that nobody reads");
}

#[test]
fn a_reader_over_tls_that_takes_nothing_for_two_rounds_is_cut_off() {
    let board = Board::configured(OWN);
    let mut stream = over_tls(&trusting(&ca(&board)), "localhost", board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    stream.head().unwrap();
    let endpoint = stream.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let post = || ask(board.port, &format!("POST {path}"), &["content-type: application/json"], PING).status;
    // What the kernel takes is not much; some of it stays with TLS, which has said that it took it.
    for _ in 0..40_000 {
        if post() != 202 {
            break;
        }
    }
    let began = Instant::now();
    while post() == 202 {
        assert!(began.elapsed() < Duration::from_secs(3 * perchd::limits::KEEP_ALIVE_SECS), "its place is held for ever");
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_client_that_comes_back_resumes_its_session() {
    let board = Board::configured(OWN);
    let client = trusting(&ca(&board));
    let kind = || {
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = ClientConnection::new(Arc::clone(&client), name).unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", board.port)).unwrap();
        let mut stream = rustls::Stream::new(&mut session, &mut socket);
        stream.write_all(&request(board.port, "GET /ca.pem", &["connection: close"], "")).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        session.handshake_kind().unwrap()
    };
    assert_eq!((kind(), kind()), (HandshakeKind::Full, HandshakeKind::Resumed));
}

/// A `ClientHello` of this version: ECDHE with ECDSA, P-256, and no version beside the one in its head.
fn hello(version: [u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x09]);
    body.extend([1, 0]);
    let (groups, points, signatures) = ([0, 10, 0, 4, 0, 2, 0, 23], [0, 11, 0, 2, 1, 0], [0, 13, 0, 4, 0, 2, 4, 3]);
    body.extend([0, 22].into_iter().chain(groups).chain(points).chain(signatures));
    let length = u8::try_from(body.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(body);
    record
}

fn bytes_back(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    socket.write_all(bytes).unwrap();
    let mut back = Vec::new();
    // The end may come as a reset, after what was said.
    let _ = socket.read_to_end(&mut back);
    back
}

#[test]
fn older_versions_of_tls_are_refused() {
    const ALERT: u8 = 21;
    const PROTOCOL_VERSION: u8 = 70;
    let board = Board::configured(OWN);
    for version in [[3, 0], [3, 1], [3, 2], [3, 3]] {
        let back = bytes_back(board.port, &hello(version));
        assert_eq!((back[0], back[6]), (ALERT, PROTOCOL_VERSION), "{back:?}");
    }
}

#[test]
fn garbage_is_answered_or_cut_off_and_others_go_on() {
    let board = Board::configured(OWN);
    assert!(bytes_back(board.port, &[0x80; 100]).starts_with(b"HTTP/1.1 400"));
    assert!(bytes_back(board.port, b"\0\0\0\0\r\n\r\n").starts_with(b"HTTP/1.1 400"));
    for garbage in [&[22; 400][..], &[22, 3, 1, 0xff, 0xff, 1, 2, 3], &[22, 3, 1, 0, 0], b"\x16GET / HTTP/1.1\r\n\r\n"] {
        let back = bytes_back(board.port, garbage);
        assert!(back.is_empty() || back[0] == 21, "{back:?}");
    }
    assert_eq!(ask(board.port, "POST /mcp", &["content-type: application/json"], PING).status, 200);
}

#[test]
fn a_handshake_that_takes_its_time_is_cut_off() {
    let board = Board::configured(OWN);
    let began = Instant::now();
    assert_eq!(bytes_back(board.port, &[22, 3, 1, 0, 200, 1]), b"");
    let limit = Duration::from_secs(perchd::limits::HANDSHAKE_SECS);
    let second = Duration::from_secs(1);
    assert!(began.elapsed() + second > limit && began.elapsed() < limit + 4 * second);
}

#[test]
fn handshakes_that_are_left_half_done_push_each_other_out() {
    let board = Board::configured(OWN);
    let before = board.resident_kib();
    let half_open: Vec<_> = (0..300)
        .map(|_| {
            let mut socket = TcpStream::connect(("127.0.0.1", board.port)).unwrap();
            // A record that announces as much as it may.
            socket.write_all(&[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0]).unwrap();
            socket
        })
        .collect();
    let mut wire = over_tls(&trusting(&ca(&board)), "localhost", board.port);
    wire.send(&request(board.port, "POST /mcp", &["content-type: application/json"], PING)).unwrap();
    assert_eq!(wire.reply().unwrap().status, 200);
    let cut_off = half_open.iter().filter(|socket| {
        socket.set_nonblocking(true).unwrap();
        !matches!((&mut &**socket).read(&mut [0; 64]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    });
    assert!(cut_off.count() >= 300 - perchd::limits::HANDSHAKES);
    assert!(board.resident_kib() - before < 8 * 1024);
}

#[test]
fn a_stream_over_tls_takes_little_memory() {
    const STREAMS: u64 = 100;
    let board = Board::configured(OWN);
    let client = trusting(&ca(&board));
    let open = || {
        let mut stream = over_tls(&client, "localhost", board.port);
        stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
        stream.head().unwrap();
        stream.event().unwrap();
        stream
    };
    let mut held = vec![open()];
    let before = board.resident_kib();
    held.extend((0..STREAMS).map(|_| open()));
    let each = (board.resident_kib() - before) * 1024 / STREAMS;
    println!("{each} bytes for each stream");
    assert!(each < 16 * 1024, "{each} bytes for each stream");
}

#[test]
fn another_certificate_comes_into_force_and_streams_go_on() {
    let board = Board::configured(OWN);
    let client = trusting(&ca(&board));
    let mut stream = over_tls(&client, "localhost", board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    stream.head().unwrap();
    let endpoint = stream.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let reach = || {
        let to = format!("shed.local:{0}:127.0.0.1:{0}", board.port);
        let ca = ca(&board);
        curl(&["--cacert", ca.to_str().unwrap(), "--connect-to", &to, &format!("https://shed.local:{}/nothing", board.port)])
    };
    assert_eq!(reach(), Err(60));
    board.reconfigure(&OWN.replace("greenhouse.local", "shed.local"));
    let began = Instant::now();
    while reach().is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "the new name is not in the certificate");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut post = over_tls(&client, "localhost", board.port);
    post.send(&request(board.port, &format!("POST {path}"), &["content-type: application/json"], PING)).unwrap();
    assert_eq!(post.reply().unwrap().status, 202);
    // Before the answer come words of changes.
    while !stream.event().unwrap().unwrap().contains("\"result\"") {}
    // TLS itself comes and goes with a new start only.
    board.reconfigure("[auth]\nmode = \"open\"\n");
    board.reconfigure(&OWN.replace("mode = \"own\"", "certificate = \"/nonexistent\"\nkey = \"/nonexistent\""));
    assert!(reach().is_ok());
    let told = board.told();
    assert!(told.contains("TLS cannot be switched off while the server runs"), "{told}");
    assert!(told.contains("/nonexistent: cannot read the file"), "{told}");
}

/// A certificate that signs itself, in a folder, with its key.
pub(crate) fn own_certificate(folder: &Folder, name: &str, key: &[&str]) -> (PathBuf, PathBuf) {
    let (certificate, secret) = (folder.path().join(format!("{name}.pem")), folder.path().join(format!("{name}.key")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=own", "-addext", "subjectAltName=DNS:localhost", "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&secret)
        .args(key)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (certificate, secret)
}

pub(crate) fn files(certificate: &Path, key: &Path) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!("[auth]\nmode = \"open\"\n[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n")
}

#[test]
fn the_operators_certificate_is_shown() {
    let folder = Folder::new();
    let ecdsa = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    for (name, key) in [("ecdsa", &ecdsa[..]), ("rsa", &["-newkey", "rsa:2048"]), ("ed25519", &["-newkey", "ed25519"])] {
        let (certificate, key) = own_certificate(&folder, name, key);
        // The older forms of the same keys.
        let old = folder.path().join("old.key");
        let kind = if name == "rsa" { "rsa" } else { "ec" };
        let mut forms = vec![key.clone()];
        if name != "ed25519" {
            let made = Command::new("openssl")
                .args([kind, "-in"])
                .arg(&key)
                .arg("-out")
                .arg(&old)
                .args(if name == "rsa" { &["-traditional"][..] } else { &[] })
                .output();
            assert!(made.unwrap().status.success());
            let text = fs::read_to_string(&old).unwrap();
            assert!(text.contains("-----BEGIN EC PRIVATE KEY") || text.contains("-----BEGIN RSA PRIVATE KEY"), "{name}");
            forms.push(old);
        }
        for key in forms {
            let board = Board::configured(&files(&certificate, &key));
            let url = format!("https://localhost:{}/nothing", board.port);
            let told = curl(&["--cacert", certificate.to_str().unwrap(), &url]);
            assert_eq!(told.unwrap().split(' ').next_back(), Some("404"), "{name}");
            assert_eq!(ask(board.port, "GET /ca.pem", &[], "").status, 404);
            assert!(!board.state().join("ca.pem").exists() && !board.greeting.contains("NODE_EXTRA_CA_CERTS"));
        }
    }
}

#[test]
fn the_script_for_development_makes_one_that_works() {
    let folder = Folder::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/development");
    let made = Command::new(&script).arg(folder.path()).args(["localhost", "127.0.0.1"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let file = |name: &str| folder.path().join(name);
    let board = Board::configured(&files(&file("server.pem"), &file("server.key")));
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/nothing", board.port);
        assert_eq!(curl(&["--cacert", file("ca.pem").to_str().unwrap(), &url]).unwrap().split(' ').next_back(), Some("404"));
    }
}

#[test]
fn a_certificate_without_its_key_is_refused_at_the_start() {
    let folder = Folder::new();
    let ecdsa = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    let (certificate, _) = own_certificate(&folder, "one", &ecdsa);
    let (_, key) = own_certificate(&folder, "other", &ecdsa);
    let config = folder.path().join("perchd.toml");
    fs::write(&config, files(&certificate, &key)).unwrap();
    let mut program = command();
    program.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config).arg("--state").arg(folder.path());
    let output = program.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("other.key: the private key does not belong to the certificate\n  "), "{told}");
}
