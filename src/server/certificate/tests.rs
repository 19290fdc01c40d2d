use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const TODAY: u64 = limits::BUILD_UNIX_SECS + 10 * DAY;

/// A folder that is gone when the test is.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("perchd-certificate-{}-{name}", std::process::id()));
        Folder(path)
    }

    fn ensure(&self, names: &[&str], unix: u64) -> Certificates {
        self.tried(names, unix).unwrap()
    }

    fn tried(&self, names: &[&str], unix: u64) -> Result<Certificates, Error> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        ensure_for(&State::open(&self.0)?, &names, at(unix))
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.0.join(name)).unwrap().permissions().mode() & 0o777
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(unix: u64) -> Now {
    Now { unix, uptime_ms: 0 }
}

fn leaf(certificates: &Certificates) -> X509<'_> {
    X509::read(&certificates.identity.chain[0]).unwrap()
}

#[test]
fn what_is_made_says_when_read_what_it_was_made_for() {
    let folder = Folder::new("made");
    let names = ["localhost", "greenhouse.local", "board.example.org", "192.168.1.20", "fd00::2", "::1"];
    let certificates = folder.ensure(&names, TODAY);
    let leaf = leaf(&certificates);
    assert_eq!(leaf.names(), names);
    assert_eq!(u64::try_from(leaf.begins).unwrap(), TODAY - BACKDATE_SECS);
    assert_eq!(u64::try_from(leaf.ends).unwrap(), TODAY - BACKDATE_SECS + LIFE_SECS);
    assert!(leaf.common_name.unwrap().starts_with("perchd on "));
    let ca = pem::certificates(&certificates.ca).unwrap();
    let ca = X509::read(&ca[0]).unwrap();
    assert!(leaf.is_signed_by(ca.public_key) && ca.is_signed_by(ca.public_key));
    assert!(!leaf.is_signed_by(leaf.public_key));
    assert!(ca.common_name.unwrap().starts_with("perchd CA of "));
    assert_eq!(ca.begins, 1_577_836_800);
    assert!(u64::try_from(ca.ends).unwrap() > TODAY + 19 * 365 * DAY);
    let modes = ["ca.pem", "ca.key", "server.pem", "server.key"].map(|name| folder.mode(name));
    assert_eq!(modes, [0o644, 0o600, 0o644, 0o600]);
}

#[test]
fn the_ca_vouches_for_what_is_private_or_was_a_name_of_the_board_and_for_nothing_else() {
    let folder = Folder::new("constraints");
    let certificates = folder.ensure(&["localhost", "board.example.org", "203.0.113.5"], TODAY);
    let ca = pem::certificates(&certificates.ca).unwrap();
    let ca = X509::read(&ca[0]).unwrap();
    for name in
        ["localhost", "a.local", "LOCAL", "b.a.lan", "10.1.2.3", "172.31.0.1", "192.168.0.9", "fd12::1", "::1", "127.9.9.9"]
    {
        assert!(ca.permits(name), "{name}");
    }
    assert!(ca.permits("board.example.org") && ca.permits("203.0.113.5"));
    for name in
        ["example.org", "xlocal", "evil.example", "bank.example.com", "8.8.8.8", "172.32.0.1", "203.0.113.6", "2001:db8::1"]
    {
        assert!(!ca.permits(name), "{name}");
    }
    let later = folder.ensure(&["localhost", "other.example.org"], TODAY);
    assert_eq!(leaf(&later).names(), ["localhost", "board.example.org", "203.0.113.5"]);
}

#[test]
fn nothing_is_written_while_the_certificate_is_good() {
    let folder = Folder::new("good");
    let first = folder.ensure(&["localhost", "10.0.0.2"], TODAY);
    let again = folder.ensure(&["localhost"], TODAY + 200 * DAY);
    assert_eq!(first.identity.chain, again.identity.chain);
    assert_eq!((first.ca, first.fingerprint), (again.ca, again.fingerprint));
}

#[test]
fn the_certificate_is_made_anew_before_it_ends_and_the_ca_is_not() {
    let folder = Folder::new("renewed");
    let first = folder.ensure(&["localhost"], TODAY);
    let end = first.identity.ends();
    assert!(!first.identity.is_due(&[], at(end - RENEW_SECS - 1)) && first.identity.is_due(&[], at(end - RENEW_SECS)));
    let second = folder.ensure(&["localhost"], end - RENEW_SECS);
    assert_eq!(first.fingerprint, second.fingerprint);
    assert_eq!(second.identity.ends(), end - RENEW_SECS - BACKDATE_SECS + LIFE_SECS);
    assert_ne!(first.identity.key.secret_der(), second.identity.key.secret_der());
}

#[test]
fn a_new_address_gets_into_the_certificate_and_an_old_one_stays() {
    let folder = Folder::new("addresses");
    folder.ensure(&["localhost", "10.0.0.2"], TODAY);
    let moved = folder.ensure(&["localhost", "10.0.0.3"], TODAY);
    assert_eq!(leaf(&moved).names(), ["localhost", "10.0.0.3", "10.0.0.2"]);
    let back = folder.ensure(&["localhost", "10.0.0.2"], TODAY);
    assert_eq!(back.identity.chain, moved.identity.chain);
}

#[test]
fn a_clock_that_was_never_set_does_not_take_time_back() {
    let folder = Folder::new("unset");
    let later = TODAY + 300 * DAY;
    let first = folder.ensure(&["localhost"], later);
    // The board wakes in 1970, which is said to be the day of the build.
    let woken = folder.ensure(&["localhost"], limits::BUILD_UNIX_SECS);
    assert_eq!(first.identity.chain, woken.identity.chain);
    let moved = folder.ensure(&["localhost", "10.0.0.2"], limits::BUILD_UNIX_SECS);
    assert_eq!(moved.identity.begins, first.identity.begins);
}

#[test]
fn a_clock_that_was_wrong_is_mended_when_it_is_set() {
    let folder = Folder::new("future");
    folder.ensure(&["localhost"], TODAY + 3000 * DAY);
    let mended = folder.ensure(&["localhost"], TODAY);
    assert_eq!(mended.identity.begins, TODAY - BACKDATE_SECS);
}

#[test]
fn a_board_without_a_clock_serves_from_its_first_start() {
    let folder = Folder::new("clockless");
    let certificates = folder.ensure(&["localhost"], limits::BUILD_UNIX_SECS);
    assert!(certificates.identity.begins < limits::BUILD_UNIX_SECS);
    assert!(certificates.identity.ends() > limits::BUILD_UNIX_SECS + 300 * DAY);
}

#[test]
fn a_ca_is_never_written_over() {
    let folder = Folder::new("kept");
    let certificates = folder.ensure(&["localhost"], TODAY);
    let state = State::open(&folder.0).unwrap();
    assert!(state.create("ca.pem", b"another", PUBLIC).is_err());
    for (name, text) in [("ca.pem", "rubbish"), ("ca.key", "rubbish")] {
        let kept = fs::read(folder.0.join(name)).unwrap();
        fs::write(folder.0.join(name), text).unwrap();
        let error = folder.tried(&["localhost"], TODAY).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("from a copy"), "{error}");
        fs::remove_file(folder.0.join(name)).unwrap();
        if name == "ca.key" {
            let error = folder.tried(&["localhost"], TODAY).unwrap_err().to_string();
            assert!(error.contains("its key is gone"), "{error}");
        }
        fs::write(folder.0.join(name), kept).unwrap();
        fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(folder.ensure(&["localhost"], TODAY).ca, certificates.ca);
}

#[test]
fn a_power_cut_while_it_is_made_leaves_a_ca() {
    let folder = Folder::new("cut");
    folder.ensure(&["localhost"], TODAY);
    for name in ["ca.pem", "server.pem"] {
        fs::remove_file(folder.0.join(name)).unwrap();
    }
    fs::write(folder.0.join("ca.pem.new"), "half").unwrap();
    let certificates = folder.ensure(&["localhost"], TODAY);
    let ca = pem::certificates(&certificates.ca).unwrap();
    assert!(leaf(&certificates).is_signed_by(X509::read(&ca[0]).unwrap().public_key));
}

#[test]
fn a_certificate_that_is_not_of_this_ca_or_this_key_is_made_anew() {
    let (folder, other) = (Folder::new("mixed"), Folder::new("mixed-other"));
    let first = folder.ensure(&["localhost"], TODAY);
    other.ensure(&["localhost"], TODAY);
    fs::copy(other.0.join("server.key"), folder.0.join("server.key")).unwrap();
    let second = folder.ensure(&["localhost"], TODAY);
    assert_ne!(first.identity.chain, second.identity.chain);
    fs::copy(other.0.join("server.pem"), folder.0.join("server.pem")).unwrap();
    fs::copy(other.0.join("server.key"), folder.0.join("server.key")).unwrap();
    assert_eq!(folder.ensure(&["localhost"], TODAY).fingerprint, first.fingerprint);
    assert_ne!(fs::read(other.0.join("server.pem")).unwrap(), fs::read(folder.0.join("server.pem")).unwrap());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = Folder::new("open");
    folder.ensure(&["localhost"], TODAY);
    for name in ["ca.key", "server.key"] {
        let path = folder.0.join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = folder.tried(&["localhost"], TODAY).unwrap_err().to_string();
        assert!(error.contains("others can read") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn files_of_the_operator_are_refused_with_the_reason() {
    let folder = Folder::new("files");
    let end = folder.ensure(&["localhost"], TODAY).identity.ends();
    let (certificate, key) = (folder.0.join("server.pem"), folder.0.join("server.key"));
    let told = |certificate: &Path, key: &Path, unix| {
        from_files(&certificate.into(), &key.into(), at(unix)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(told(&certificate, &key, end), Ok(()));
    let refusal = told(&certificate, &key, end + 3 * DAY + 1).unwrap_err();
    assert!(refusal.contains("server.pem: the certificate has ended, 3 days ago"), "{refusal}");
    let refusal = told(&key, &key, TODAY).unwrap_err();
    assert!(refusal.contains("there is no certificate in this file") && refusal.contains("BEGIN CERTIFICATE"), "{refusal}");
    let locked = folder.0.join("locked.key");
    fs::write(&locked, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n").unwrap();
    assert!(told(&certificate, &locked, TODAY).unwrap_err().contains("others can read the private key"));
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o600)).unwrap();
    let refusal = told(&certificate, &locked, TODAY).unwrap_err();
    assert!(refusal.contains("has a password") && refusal.contains("openssl pkey"), "{refusal}");
    let refusal = told(&certificate, &folder.0.join("none"), TODAY).unwrap_err();
    assert!(refusal.contains("none: cannot read the file") && refusal.contains("[tls]"), "{refusal}");
}

#[test]
fn what_is_no_host_name_gets_into_no_certificate() {
    let names =
        of_host(&["Board.Local".into(), "my board".into(), "*.lan".into(), String::new(), "a..b".into(), "10.9.8.7".into()]);
    assert_eq!(names[..3], ["localhost", "board.local", "10.9.8.7"]);
    assert!(names.contains(&"127.0.0.1".to_owned()) && names.contains(&"::1".to_owned()));
    let many: Vec<_> = (0..200).map(|number| format!("n{number}.lan")).collect();
    assert_eq!(of_host(&many).len(), limits::CERTIFICATE_NAMES);
}

#[test]
fn a_secret_is_not_shown() {
    let folder = Folder::new("debug");
    let shown = format!("{:?}", folder.ensure(&["localhost"], TODAY).identity);
    assert!(shown.starts_with("Identity { begins: ") && !shown.contains("key"), "{shown}");
}

#[test]
fn a_fingerprint_is_what_openssl_shows() {
    assert!(fingerprint(b"").starts_with("E3:B0:C4:42:98:FC:1C:14:"));
    assert_eq!(fingerprint(b"").len(), 95);
}
