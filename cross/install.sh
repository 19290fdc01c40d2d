#!/bin/sh
# Installs perchd from its archive on a Linux with systemd, for where no .deb fits. As root:
#
#   ./install.sh                installs, or upgrades what is there; keys and configuration are kept
#   ./install.sh --uninstall    removes the program and its units; keys and configuration are kept
#   ./install.sh --purge        removes them too
#
# With DESTDIR=/folder, it lays the files there and starts nothing.
set -eu
cd "$(dirname "$0")"
root=${DESTDIR-}

main() {
    case ${1-} in
    "") verify && install_all ;;
    --uninstall) uninstall ;;
    --purge)
        uninstall
        rm -rf "$root/var/lib/perchd" "$root/etc/perchd"
        ;;
    *)
        sed -n '2,/^set /s/^# \{0,1\}//p' install.sh
        exit 64
        ;;
    esac
}

# Every file is the one that was packed, and the program runs on this machine.
verify() {
    sha256sum --check --quiet SHA256SUMS || fail "this archive is damaged; fetch it again"
    ./perchd --version >/dev/null 2>&1 || fail "this program is not for a machine such as this one ($(uname -m)); take another archive"
    [ -n "$root" ] || [ "$(id -u)" = 0 ] || fail "ask as root: sudo ./install.sh"
}

fail() {
    echo "install.sh: $*" >&2
    exit 1
}

# What goes where, with its mode.
files() {
    cat <<'END'
perchd /usr/local/bin/perchd 755
systemd/perchd.socket /etc/systemd/system/perchd.socket 644
systemd/sysusers.conf /etc/sysusers.d/perchd.conf 644
systemd/tmpfiles.conf /etc/tmpfiles.d/perchd.conf 644
perchd.1 /usr/local/share/man/man1/perchd.1 644
perchd.toml.5 /usr/local/share/man/man5/perchd.toml.5 644
completions/perchd.bash /usr/local/share/bash-completion/completions/perchd 644
completions/_perchd /usr/local/share/zsh/site-functions/_perchd 644
completions/perchd.fish /usr/local/share/fish/vendor_completions.d/perchd.fish 644
END
}

install_all() {
    files | while read -r from to mode; do
        mkdir -p "$root$(dirname "$to")"
        # Beside it first: a program that runs cannot be written over, and a power cut leaves the old one or the new one.
        cp "$from" "$root$to.new"
        chmod "$mode" "$root$to.new"
        mv "$root$to.new" "$root$to"
    done
    sed 's|/usr/bin/perchd|/usr/local/bin/perchd|' systemd/perchd.service >"$root/etc/systemd/system/perchd.service"
    if [ ! -e "$root/etc/perchd/perchd.toml" ]; then
        mkdir -p "$root/etc/perchd"
        cp systemd/perchd.toml "$root/etc/perchd/perchd.toml"
        chmod 640 "$root/etc/perchd/perchd.toml"
    fi
    [ -z "$root" ] || return 0
    systemd-sysusers perchd.conf
    systemd-tmpfiles --create perchd.conf || true
    install -d -m 0700 -o perchd -g perchd /var/lib/perchd
    perchd=/usr/local/bin/perchd
    "$perchd" init --config /etc/perchd/perchd.toml >/dev/null
    systemctl daemon-reload
    systemctl enable --quiet perchd.service perchd.socket
    systemctl start perchd.socket
    systemctl restart perchd.service
    echo "perchd is installed. To let somebody sign in: sudo perchd pair"
}

uninstall() {
    if [ -z "$root" ]; then
        systemctl disable --quiet --now perchd.service perchd.socket 2>/dev/null || true
    fi
    files | while read -r _ to _; do rm -f "$root$to"; done
    rm -f "$root/etc/systemd/system/perchd.service"
    [ -n "$root" ] || systemctl daemon-reload
}

main "$@"
