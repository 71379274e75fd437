#!/usr/bin/env bash
# The yardstick: Postfix with its fsync'd queue, delivering over LMTP to Dovecot with mail_crypt (a key pair per user, the
# private key under the user's password), read over Dovecot's POP3S. On loopback, in a directory of its own.
# Needs root and Debian's postfix, dovecot-core, dovecot-lmtpd, dovecot-pop3d and openssl.
#   postfixDovecot.sh start DIR SMTP_PORT LMTP_PORT POP3S_PORT
#   postfixDovecot.sh user DIR NAME          its address is NAME@journal.test, its password secret-passphrase
#   postfixDovecot.sh masters DIR            the process ids of both master processes
#   postfixDovecot.sh stop DIR
set -euo pipefail
verb=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd)
password=secret-passphrase

dovecotConfiguration() { cat <<C
base_dir = $dir/dovecot
state_dir = $dir/dovecot
log_path = $dir/dovecot.log
instance_name = sealpost-bench
protocols = pop3 lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <$dir/cert.pem
ssl_key = <$dir/key.pem
mail_location = maildir:$dir/mail/%u
mail_fsync = optimized
mail_attribute_dict = file:%h/dovecot-attributes
default_vsz_limit = 1G
mail_plugins = \$mail_plugins mail_crypt
plugin {
  mail_crypt_curve = prime256v1
  mail_crypt_save_version = 2
}
passdb {
  driver = static
  args = password=$password userdb_mail_crypt_private_password=$password
}
userdb {
  driver = static
  args = uid=vmail gid=vmail home=$dir/mail/%u mail_crypt_private_password=$password
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $1
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 0
  }
  inet_listener pop3s {
    port = $2
    ssl = yes
  }
}
C
}

postfixConfiguration() { cat <<C
compatibility_level = 3.6
queue_directory = $dir/spool
data_directory = $dir/data
mail_owner = postfix
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = journal.test
virtual_transport = lmtp:inet:127.0.0.1:$1
message_size_limit = 209715200
mailbox_size_limit = 0
maillog_file = $dir/postfix.log
maillog_file_prefixes = $dir
default_process_limit = 100
smtpd_client_connection_count_limit = 0
smtpd_relay_restrictions = permit_mynetworks reject
multi_instance_enable = yes
multi_instance_name = postfix-bench
C
}

start() {
  local smtp=$1 lmtp=$2 pop3s=$3
  mkdir -p "$dir"/{spool,data,etc,mail,dovecot}
  chmod 755 "$dir"
  getent passwd vmail >/dev/null || useradd -r -M -d /nonexistent -s /usr/sbin/nologin vmail
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
  chown vmail "$dir/mail"; chown postfix "$dir/data"; chmod 700 "$dir/mail"
  dovecotConfiguration "$lmtp" "$pop3s" >"$dir/dovecot.conf"
  postfixConfiguration "$lmtp" >"$dir/etc/main.cf"
  # No chroot, and one listener on a port of its own.
  sed -e "s/^smtp  *inet.*/127.0.0.1:$smtp inet n - n - - smtpd/" \
    -e 's/^\([a-z]* *[a-z]* *[-ny] *[-ny] *\)y /\1n /' /usr/share/postfix/master.cf.dist >"$dir/etc/master.cf"
  grep -q '^postlog' "$dir/etc/master.cf" || echo 'postlog unix-dgram n - n - 1 postlogd' >>"$dir/etc/master.cf"
  [ -f /etc/postfix/main.cf ] || cp /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
  [ -f /etc/postfix/master.cf ] || cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
  postconf -e "alternate_config_directories=$dir/etc" compatibility_level=3.6
  dovecot -c "$dir/dovecot.conf" </dev/null >/dev/null 2>&1
  postfix -c "$dir/etc" start >/dev/null 2>&1
}

case $verb in
  start) start "$3" "$4" "$5" ;;
  user)
    doveadm -c "$dir/dovecot.conf" -o plugin/mail_crypt_private_password=$password \
      mailbox cryptokey generate -u "$3@journal.test" -U >/dev/null
    ;;
  masters) cat "$dir/dovecot/master.pid" "$dir/spool/pid/master.pid" ;;
  stop)
    postfix -c "$dir/etc" stop >/dev/null 2>&1 || true
    doveadm -c "$dir/dovecot.conf" stop || true
    ;;
  *)
    echo 'start, user, masters or stop' >&2
    exit 2
    ;;
esac
