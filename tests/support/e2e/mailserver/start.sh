# What docker-mailserver makes of DEFAULT_RELAY_HOST, RELAY_USER and RELAY_PASSWORD: a Postfix that sends all mail there.
set -eu
: >/etc/postfix/main.cf
printf '%s %s:%s\n' "$DEFAULT_RELAY_HOST" "$RELAY_USER" "$RELAY_PASSWORD" >/etc/postfix/sasl_passwd
chmod 0600 /etc/postfix/sasl_passwd
postconf -e compatibility_level=3.6 maillog_file=/dev/stdout inet_protocols=ipv4 "myhostname=$OVERRIDE_HOSTNAME" \
  mydestination= mynetworks=10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8 "relayhost=$DEFAULT_RELAY_HOST" \
  smtp_sasl_auth_enable=yes smtp_sasl_password_maps=texthash:/etc/postfix/sasl_passwd smtp_sasl_security_options= \
  smtp_tls_security_level=encrypt alias_maps= alias_database= minimal_backoff_time=5s queue_run_delay=5s
postconf -F '*/*/chroot=n'
exec postfix start-fg
