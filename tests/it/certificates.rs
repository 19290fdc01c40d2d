//! What is wrong with the operator's certificate is told before it matters; and what the board's own CA cannot vouch for.

use crate::board::{Board, Folder, command, is_root};
use crate::commands::finish;
use crate::tls::{OWN, ca, curl, files, over_tls, own_certificate, trusting};
use crate::wire::request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ECDSA: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
/// Where `files` names the two.
const CERTIFICATE: usize = 4;
const KEY: usize = 5;

/// Files with which nothing is wrong but one thing.
struct Faulty {
    folder: Folder,
    good: (PathBuf, PathBuf),
}

impl Faulty {
    fn new() -> Faulty {
        let folder = Folder::new();
        let good = own_certificate(&folder, "good", &ECDSA);
        Faulty { folder, good }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A certificate for the good key that ended in 2021.
    fn ended(&self) -> PathBuf {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        let der = STANDARD.encode(params.self_signed(&key).unwrap().der());
        self.file("ended.pem", &format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"))
    }

    /// Each pair, the line of the configuration that names the bad one, the bad one, and what is told of it.
    fn all(&self) -> Vec<(PathBuf, PathBuf, usize, PathBuf, &'static str)> {
        let (certificate, key) = self.good.clone();
        let none = self.folder.path().join("none.pem");
        let folder = self.folder.path().to_owned();
        let garbage = self.file("garbage.pem", "What is this?\n");
        let der = self.folder.path().join("binary.pem");
        fs::write(&der, [0x30, 0x82, 0x01, 0xff]).unwrap();
        let damaged = self.file("damaged.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        let ended = self.ended();
        let (_, other) = own_certificate(&self.folder, "other", &ECDSA);
        let open = self.file("open.key", &fs::read_to_string(&key).unwrap());
        fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let locked = self.file("locked.key", locked);
        let of_certificate = |bad: PathBuf, told| (bad.clone(), key.clone(), CERTIFICATE, bad, told);
        let of_key = |bad: PathBuf, told| (certificate.clone(), bad.clone(), KEY, bad, told);
        vec![
            of_certificate(none.clone(), "cannot read the file: No such file"),
            of_certificate(folder.clone(), "cannot read the file: Is a directory"),
            of_certificate(garbage.clone(), "there is no certificate in this file"),
            of_certificate(der, "cannot read the file: "),
            of_certificate(key.clone(), "there is no certificate in this file"),
            of_certificate(damaged, "the certificate is damaged"),
            of_certificate(ended, "the certificate has ended, "),
            of_key(none, "cannot read the file: No such file"),
            of_key(folder, "cannot read the file: Is a directory"),
            of_key(garbage, "there is no private key in this file"),
            of_key(certificate.clone(), "others can read the private key"),
            of_key(open, "others can read the private key"),
            of_key(locked, "the private key has a password"),
            of_key(other, "the private key does not belong to the certificate"),
        ]
    }
}

#[test]
fn what_is_wrong_with_the_operators_files_is_told_alike_before_the_start_at_it_and_later() {
    let faulty = Faulty::new();
    let (certificate, key) = &faulty.good;
    let good = files(certificate, key);
    let board = Board::configured(&good);
    let file = board.state().join("perchd.toml");
    let elsewhere = Folder::new();
    for (certificate, key, line, bad, what) in faulty.all() {
        board.reconfigure(&files(&certificate, &key));
        let told = format!("{}:{line}: {}: {what}", file.display(), bad.display());
        let mut check = command();
        check.arg("check").arg(&file);
        let checked = finish(check, "");
        assert_eq!((checked.code, checked.stdout.as_str()), (78, ""), "{checked:?}");
        assert!(checked.stderr.starts_with(&format!("perchd: {told}")), "{told}: {checked:?}");
        assert!(checked.stderr.lines().nth(1).is_some_and(|remedy| remedy.starts_with("  ")), "{checked:?}");
        let mut serve = command();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&file).arg("--state").arg(elsewhere.path());
        let served = finish(serve, "");
        assert_eq!(served.code, 78, "{served:?}");
        assert!(served.stderr.ends_with(&checked.stderr), "{checked:?} {served:?}");
        let url = format!("https://localhost:{}/nothing", board.port);
        assert!(curl(&["--cacert", faulty.good.0.to_str().unwrap(), &url]).is_ok(), "the old one stays: {what}");
    }
    board.reconfigure(&good);
    let mut check = command();
    check.arg("check").arg(&file);
    let checked = finish(check, "");
    let line = format!("TLS            certificate {}, until 2", faulty.good.0.display());
    assert!(checked.code == 0 && checked.stdout.contains(&line), "{checked:?}");
    assert!(!elsewhere.path().join("ca.key").exists(), "what is checked is not made");
    let log = board.told();
    for (.., line, bad, what) in faulty.all() {
        let told = format!("the configuration stays as it was: {}:{line}: {}: {what}", file.display(), bad.display());
        assert!(log.contains(&told), "{told}: {log}");
    }
}

#[test]
fn a_file_that_perchd_may_not_read_is_told_with_its_line() {
    let folder = Folder::new();
    let (certificate, key) = own_certificate(&folder, "good", &ECDSA);
    let config = folder.path().join("perchd.toml");
    fs::write(&config, files(&certificate, &key)).unwrap();
    // By another process: one that has it open for writing, if only by a fork in between, keeps it from being run.
    let program = folder.path().join("perchd");
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_perchd")).arg(&program).status().unwrap().success());
    let is_root = is_root();
    fs::set_permissions(&key, fs::Permissions::from_mode(if is_root { 0o600 } else { 0 })).unwrap();
    let mut check = if is_root { Command::new("setpriv") } else { Command::new("env") };
    if is_root {
        check.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    check.arg(&program).arg("check").arg(&config).env("HOME", folder.path());
    let told = finish(check, "");
    assert_eq!(told.code, 77, "{told:?}");
    let what = format!("perchd: {}:{KEY}: {}: cannot read the file: Permission denied", config.display(), key.display());
    assert!(told.stderr.starts_with(&what), "{told:?}");
}

/// A certificate for `name` by the CA whose key is in `state`: what somebody makes who has stolen it.
fn forged(state: &Path, folder: &Folder, name: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (folder.path().join("forged.pem"), folder.path().join("forged.key"));
    let request = folder.path().join("forged.csr");
    let extensions = folder.path().join("forged.ext");
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    let text = format!("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={kind}:{name}\n");
    fs::write(&extensions, text).unwrap();
    let openssl = |words: &[&str], files: &[(&str, &Path)]| {
        let mut command = Command::new("openssl");
        command.args(words);
        for (option, file) in files {
            command.arg(option).arg(file);
        }
        let made = command.output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    let asked = [&["req", "-nodes", "-subj", "/CN=forged"], &ECDSA[..]].concat();
    openssl(&asked, &[("-keyout", &key), ("-out", &request)]);
    let ca = [("-CA", state.join("ca.pem")), ("-CAkey", state.join("ca.key"))];
    let ca: Vec<_> = ca.iter().map(|(option, file)| (*option, file.as_path())).collect();
    let files = [&[("-in", request.as_path()), ("-out", &certificate), ("-extfile", &extensions)], &ca[..]].concat();
    openssl(&["x509", "-req", "-days", "9", "-set_serial", "9"], &files);
    (certificate, key)
}

/// What OpenSSL's own check says of a certificate under this name.
fn verified(ca: &Path, certificate: &Path, name: &str) -> String {
    let option = if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let mut openssl = Command::new("openssl");
    openssl.args(["verify", option, name, "-CAfile"]).arg(ca).arg(certificate);
    let output = openssl.output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn who_steals_the_key_of_the_ca_cannot_stand_for_the_rest_of_the_world() {
    let board = Board::configured(OWN);
    let ca = ca(&board);
    for (name, is_permitted) in [
        ("shed.local", true),
        ("greenhouse.local", true),
        ("127.0.0.9", true),
        ("192.168.99.1", true),
        ("evil.example", false),
        ("claude.ai", false),
        ("local.evil.example", false),
        ("notlocal", false),
        ("8.8.8.8", false),
        ("172.32.0.1", false),
        ("2001:db8::1", false),
    ] {
        let folder = Folder::new();
        let (certificate, key) = forged(board.state(), &folder, name);
        let said = verified(&ca, &certificate, name);
        assert_eq!(said.contains("permitted subtree violation"), !is_permitted, "OpenSSL, {name}: {said}");
        assert_eq!(said.contains(": OK"), is_permitted, "OpenSSL, {name}: {said}");
        // Shown by a server, to clients that trust the CA.
        let thief = Board::configured(&format!("names = [\"{name}\"]\n{}", files(&certificate, &key)));
        let host = if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        let to = format!("{host}:{0}:127.0.0.1:{0}", thief.port);
        let url = format!("https://{host}:{}/nothing", thief.port);
        let came = curl(&["--noproxy", "*", "--cacert", ca.to_str().unwrap(), "--connect-to", &to, &url]);
        assert_eq!(came.map(|told| told.ends_with("404")), if is_permitted { Ok(true) } else { Err(60) }, "curl, {name}");
        let mut wire = over_tls(&trusting(&ca), name, thief.port);
        match (wire.send(&request(thief.port, "GET /nothing", &[], "")), is_permitted) {
            (Ok(()), true) => assert_eq!(wire.reply().unwrap().status, 404, "rustls, {name}"),
            (Err(error), false) => assert!(error.to_string().contains("NameConstraintViolation"), "rustls, {name}: {error}"),
            (other, _) => panic!("rustls, {name}: {other:?}"),
        }
    }
}
