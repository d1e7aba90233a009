# Starts Postfix as a provider that demands TLS and a login; whatever it takes lies in /var/box/box.
set -eu
: >/etc/postfix/main.cf
postconf -e compatibility_level=3.6 maillog_file=/dev/stdout inet_protocols=ipv4 myhostname=provider.example \
  mydestination=example.net,provider.example mail_spool_directory=/var/box \
  local_recipient_maps= luser_relay=box alias_maps= alias_database= \
  smtpd_tls_security_level=encrypt smtpd_tls_cert_file=/tls/tls.crt smtpd_tls_key_file=/tls/tls.key \
  smtpd_sasl_auth_enable=yes smtpd_tls_auth_only=yes smtpd_sasl_local_domain=provider \
  smtpd_relay_restrictions=permit_sasl_authenticated,reject
postconf -M smtp/inet='2525 inet n - n - - smtpd'
postconf -F '*/*/chroot=n'
printf 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\n' >/etc/postfix/sasl/smtpd.conf
printf '%s' "$PASSWORD" | saslpasswd2 -p -c -u provider "$USERNAME"
chgrp postfix /etc/sasldb2 && chmod 0640 /etc/sasldb2
useradd box
install -d -o box /var/box
exec postfix start-fg
