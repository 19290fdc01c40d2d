//! A machine of its own: with a network that holds nothing else, and with folders of the system that are empty. Each test makes
//! one of namespaces, so that these run where a machine gives some: `tests/run elsewhere`.

use crate::board::{Folder, is_root};
use std::fs;
use std::process::Command;

/// The one address of that machine that is not loopback.
const FAR: &str = "10.9.8.7";

/// What every script begins with. A program may need its time to start: what it does is asked for again and again.
const PRELUDE: &str = r#"
ip link set lo up
ip address add 10.9.8.7/24 dev lo
far() { curl -sS --noproxy '*' --max-time 20 "$@"; }
serve() { "$@" >"$FOLDER/out" 2>"$FOLDER/log" & perchd=$!; trap 'kill $perchd' EXIT; }
stop() { trap - EXIT; kill $perchd; wait $perchd || true; }
until_so() { until "$@" >/dev/null 2>&1; do kill -0 $perchd || { cat "$FOLDER/log" >&2; exit 1; }; sleep 0.1; done; }
"#;

/// Runs a script on such a machine; the lines that it prints.
pub(crate) fn alone(folder: &Folder, script: &str) -> Vec<String> {
    let mut shell = Command::new("unshare");
    // Who is not root is root there, and nobody else.
    shell.args(if is_root() { &["-mn"][..] } else { &["-rmn"] }).args(["sh", "-ec", &format!("{PRELUDE}{script}")]);
    for name in ["RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "PERCHD_CONFIG"]
    {
        shell.env_remove(name);
    }
    shell.env_remove("PERCHD_LOG").env_remove("JOURNAL_STREAM");
    let output = shell.env("FOLDER", folder.path()).env("PERCHD", env!("CARGO_BIN_EXE_perchd")).output().unwrap();
    let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert!(output.status.success(), "{output:?}\n{log}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

const EITHER: &str = r#"
far() { curl -sS --noproxy '*' --max-time 20 --cacert "$FOLDER/ca.pem" "$@"; }
serve "$PERCHD" serve --config "$FOLDER/perchd.toml" --listen 0.0.0.0:8787 --state "$FOLDER"
until_so far -o "$FOLDER/fetched" http://10.9.8.7:8787/ca.pem
cmp "$FOLDER/fetched" "$FOLDER/ca.pem"
far -o /dev/null -w '%{http_code} %{redirect_url}\n' -H 'accept: text/html' 'http://10.9.8.7:8787/authorize?state=1'
far -o /dev/null -w '%{http_code} %{redirect_url}\n' -H 'accept: text/html' -H 'host: evil.example' http://10.9.8.7:8787/
far -w '\n%{http_code}\n' -H 'authorization: Bearer secret' http://10.9.8.7:8787/mcp
far -o /dev/null -w '%{http_code}\n' -H 'accept: text/html' -d a=b http://10.9.8.7:8787/token
far -o /dev/null -w '%{http_code}\n' https://10.9.8.7:8787/mcp
far -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8787/mcp
"#;

#[test]
fn plain_http_from_elsewhere_is_sent_to_https_or_told_why_not() {
    let folder = Folder::new();
    let run = |plain: &str| {
        let config = format!("[auth]\nmode = \"pairing\"\n[tls]\nmode = \"own\"\n{plain}");
        fs::write(folder.path().join("perchd.toml"), config).unwrap();
        alone(&folder, EITHER)
    };
    let told = run("");
    assert_eq!(told[0], format!("303 https://{FAR}:8787/authorize?state=1"));
    assert_eq!(told[1], "421 ");
    let refusal: serde_json::Value = serde_json::from_str(&told[2]).unwrap();
    assert_eq!(refusal["error"], "https_required");
    let remedy = format!("Use https://{FAR}:8787, and trust the CA of http://{FAR}:8787/ca.pem.");
    assert!(refusal["error_description"].as_str().unwrap().ends_with(&remedy), "{refusal}");
    assert_eq!(told[3..], ["403", "403", "401", "401"]);
    let told = run("allow_plain = true\n");
    assert!(told[0].starts_with("400 "), "{told:?}");
    assert_eq!(told[3..], ["401", "401", "401", "401"]);
}

/// The page on which the code of a device is entered: whether it says that it is not encrypted.
const PAGE: &str = r#"
serve "$PERCHD" serve --config "$FOLDER/perchd.toml" --state "$FOLDER"
base=$(sed -n 's/^# reached at //p' "$FOLDER/perchd.toml")
until_so far -k "$base/"
far -k -H 'accept: text/html' "$base/device" | grep -c 'Not encrypted' || true
"#;

#[test]
fn plain_http_on_a_network_is_warned_of_in_the_log_and_on_the_page() {
    const WARNING: &str = "warn: plain HTTP on the network: whoever is on it can read passwords, tokens and what assistants do";
    let folder = Folder::new();
    for (listen, tls, base, is_warned, is_told) in [
        ("10.9.8.7:8787", "mode = \"off\"", "http://10.9.8.7:8787", true, true),
        ("10.9.8.7:8787", "allow_plain = true", "http://10.9.8.7:8787", true, true),
        ("0.0.0.0:8787", "allow_plain = true", "https://10.9.8.7:8787", true, false),
        ("10.9.8.7:8787", "mode = \"own\"", "https://10.9.8.7:8787", false, false),
        ("127.0.0.1:8787", "mode = \"off\"", "http://localhost:8787", false, false),
    ] {
        let config = format!("# reached at {base}\nlisten = \"{listen}\"\n[auth]\nmode = \"pairing\"\n[tls]\n{tls}\n");
        fs::write(folder.path().join("perchd.toml"), &config).unwrap();
        let told = alone(&folder, PAGE);
        assert_eq!(told, [if is_told { "1" } else { "0" }], "{config}");
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log.contains(WARNING), is_warned, "{config}{log}");
    }
}

/// A board on its first day, as its owner and its systemd go about it: no option names a file.
const FIRST_DAY: &str = r#"
for folder in /etc /var/lib /run /root; do mount -t tmpfs tmpfs $folder; done
printf '127.0.0.1 localhost\n' >/etc/hosts
printf 'root:x:0:0::/root:/bin/sh\nperchd:x:%s:%s::/:/bin/false\n' $OWNER $OWNER >/etc/passwd
printf 'root:x:0:\nperchd:x:%s:\n' $OWNER >/etc/group
export HOME=/root
mkdir /run/bin
cp "$PERCHD" /run/bin/perchd
program=/run/bin/perchd
"$program" init >"$FOLDER/first"
stat -c '%n %a %u:%g' /etc/perchd/perchd.toml /var/lib/perchd /var/lib/perchd/*
"$program" check >"$FOLDER/checked"
# StateDirectory= and RuntimeDirectory= of the unit.
chown -R $OWNER:$OWNER /var/lib/perchd
mkdir -m 700 /run/perchd
chown $OWNER:$OWNER /run/perchd
serve env RUNTIME_DIRECTORY=/run/perchd STATE_DIRECTORY=/var/lib/perchd $AS "$program" serve
until_so "$program" health
cp /var/lib/perchd/ca.pem "$FOLDER/ca.pem"
for base in https://localhost:8787 https://10.9.8.7:8787; do
    far --cacert "$FOLDER/ca.pem" -o /dev/null -w '%{http_code}\n' $base/mcp
done
"$program" pair 2>/dev/null
"$program" init >"$FOLDER/second"
"$program" token new --scope math --ttl 1h --name meter 2>/dev/null >"$FOLDER/token"
far --cacert "$FOLDER/ca.pem" -o /dev/null -w '%{http_code}\n' -H "authorization: Bearer $(cat "$FOLDER/token")" \
    -H 'content-type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"ping"}' https://10.9.8.7:8787/mcp
"$program" keys rotate >/dev/null
"$program" revoke --name meter >/dev/null
stat -c '%n %a %u:%g' /var/lib/perchd/keys /var/lib/perchd/revoked
kill -HUP $perchd
until_so grep 'SIGHUP: the configuration was read anew' "$FOLDER/log"
far --cacert "$FOLDER/ca.pem" -o /dev/null -w '%{http_code}\n' -H "authorization: Bearer $(cat "$FOLDER/token")" https://10.9.8.7:8787/mcp
stop
"$program" health --quiet 2>/dev/null || echo "gone: $?"
"#;

#[test]
fn the_owner_makes_a_board_where_the_system_keeps_it_and_its_server_finds_everything() {
    let folder = Folder::new();
    let (owner, run_as) = if is_root() { (990, "setpriv --reuid=990 --regid=990 --clear-groups") } else { (0, "") };
    let told = alone(&folder, &format!("OWNER={owner}\nAS='{run_as}'\n{FIRST_DAY}"));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (first, second) = (read("first"), read("second"));
    assert_eq!(
        told[..8],
        [
            format!("/etc/perchd/perchd.toml 640 0:{owner}"),
            "/var/lib/perchd 700 0:0".to_owned(),
            "/var/lib/perchd/ca.key 600 0:0".to_owned(),
            "/var/lib/perchd/ca.pem 644 0:0".to_owned(),
            "/var/lib/perchd/keys 600 0:0".to_owned(),
            "/var/lib/perchd/server.key 600 0:0".to_owned(),
            "/var/lib/perchd/server.pem 644 0:0".to_owned(),
            "401".to_owned(),
        ]
    );
    for part in [
        "Configuration  made: /etc/perchd/perchd.toml\n",
        "Key ring       made: /var/lib/perchd/keys\n",
        "CA             made: /var/lib/perchd/ca.pem\n",
        "\nStart it:  systemctl enable --now perchd\n",
        "code to sign in with:  perchd pair\n",
        "NODE_EXTRA_CA_CERTS",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    for part in ["Configuration  /etc/perchd/perchd.toml\n", "State          /var/lib/perchd\n", "Listens on     0.0.0.0:8787\n"]
    {
        assert!(read("checked").contains(part), "{part}: {}", read("checked"));
    }
    assert_eq!(told[8], "401");
    let code = &told[9];
    assert!(code.len() == 9 && code.as_bytes()[4] == b'-', "{code}");
    for part in ["Configuration  kept: /etc/perchd", "Key ring       kept: /var/lib/perchd", "A code to sign in with\n"] {
        assert!(second.contains(part), "{part}: {second}");
    }
    // What root has written is the server's.
    let (ring, revoked) = ("/var/lib/perchd/keys 600", "/var/lib/perchd/revoked 600");
    let end = ["200", &format!("{ring} {owner}:{owner}"), &format!("{revoked} {owner}:{owner}"), "401", "gone: 69"];
    assert_eq!(told[10..], end);
}

/// The system's board, as the doctor finds it on the morning after: who runs systemd is told by a program of that name.
const DOCTOR: &str = r#"
for folder in /etc /var/lib /run /root; do mount -t tmpfs tmpfs $folder; done
printf '127.0.0.1 localhost\n' >/etc/hosts
printf 'root:x:0:0::/root:/bin/sh\nperchd:x:990:990::/:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nperchd:x:990:\nsystemd-journal:x:991:\n' >/etc/group
export HOME=/root PATH=/run/bin:$PATH
mkdir -p /run/bin /run/systemd/system
cp "$PERCHD" /run/bin/perchd
printf '#!/bin/sh\n[ "$*" = "is-active perchd.service perchd.socket" ] && cat /run/states\n' >/run/bin/systemctl
printf '#!/bin/sh\n' >/run/bin/journalctl
chmod 755 /run/bin/systemctl /run/bin/journalctl
perchd init --listen 127.0.0.1:8787 >/dev/null
printf '[services]\nunits = ["ssh.service"]\nsystemctl = ["/run/bin/systemctl"]\njournalctl = ["/run/bin/journalctl"]\n' >>/etc/perchd/perchd.toml
chown -R 990:990 /var/lib/perchd
mkdir -m 700 /run/perchd
chown 990:990 /run/perchd
look() { echo "== $1"; shift; "$@" >/run/told 2>/dev/null || true; grep -E '^(ok +(keys|unit|journal)|failed|not reached +(keys|server|TLS) )' /run/told || true; }
printf 'failed\nactive\n' >/run/states
look 'the unit has failed' perchd doctor
printf 'active\nactive\n' >/run/states
start() { serve env RUNTIME_DIRECTORY=/run/perchd STATE_DIRECTORY=/var/lib/perchd setpriv --reuid=990 --regid=990 $1 perchd serve; until_so perchd health; }
start --clear-groups
look 'no group' perchd doctor
stop
start --groups=991
chown 0:0 /var/lib/perchd/keys
look 'the keys of root' perchd doctor
chown 990:990 /var/lib/perchd/keys
chmod 600 /etc/perchd/perchd.toml
chown 0:0 /etc/perchd/perchd.toml
look 'the configuration of root' perchd doctor
chown 0:990 /etc/perchd/perchd.toml
chmod 640 /etc/perchd/perchd.toml
look 'well' perchd doctor
chmod 644 /etc/perchd/perchd.toml
look 'somebody else' setpriv --reuid=992 --regid=992 --clear-groups perchd doctor
"#;

#[test]
fn the_doctor_finds_on_the_systems_board_what_only_its_server_would_feel() {
    // Two users are needed, which a namespace of somebody else has not.
    if !is_root() {
        return;
    }
    let told = alone(&Folder::new(), DOCTOR);
    let part = |name: &str| {
        let begin = told.iter().position(|line| *line == format!("== {name}")).unwrap() + 1;
        told[begin..].iter().take_while(|line| !line.starts_with("== ")).map(String::as_str).collect::<Vec<_>>()
    };
    let first = |name: &str| part(name).into_iter().find(|line| line.starts_with("failed")).map(str::to_owned);
    for (name, what) in [
        ("the unit has failed", "unit               perchd.service is failed"),
        (
            "no group",
            "journal            [services]: perchd may not read what units write: it is not in the group systemd-journal",
        ),
        ("the keys of root", "keys               /var/lib/perchd/keys: the key ring belongs to root, and perchd runs as perchd"),
        (
            "the configuration of root",
            "configuration      /etc/perchd/perchd.toml: perchd, whom the server runs as, may not read it",
        ),
    ] {
        assert_eq!(first(name).unwrap_or_default(), format!("failed       {what}"), "{told:#?}");
    }
    let well = part("well");
    assert_eq!(first("well"), None, "{told:#?}");
    for what in [
        "keys               keys, ca.key, server.key in /var/lib/perchd",
        "unit               perchd.service is active",
        "journal            perchd may read it",
    ] {
        assert!(well.iter().any(|line| line.contains(what)), "{what}: {well:#?}");
    }
    let other = part("somebody else");
    assert_eq!(first("somebody else"), None, "{told:#?}");
    assert_eq!(other.iter().filter(|line| line.contains("sudo perchd doctor")).count(), 3, "{other:#?}");
}
