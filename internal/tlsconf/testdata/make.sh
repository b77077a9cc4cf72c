#!/bin/sh
# Makes the stores that the tests read, by openssl and keytool. The files are
# kept, so that tests need neither; run it again to change them.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
days=36500

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days \
  -keyout "$tmp/ca.key" -out ca.pem -subj '/O=quoll tests/CN=Test CA' \
  -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null

# cert NAME SUBJECT EXTENSIONS
cert() {
  openssl req -newkey rsa:2048 -nodes -keyout "$tmp/$1.key" -out "$tmp/$1.csr" -utf8 -multivalue-rdn -subj "$2" 2>/dev/null
  printf '%s\n' "$3" >"$tmp/$1.ext"
  openssl x509 -req -in "$tmp/$1.csr" -CA ca.pem -CAkey "$tmp/ca.key" -days $days \
    -extfile "$tmp/$1.ext" -out "$tmp/$1.crt" 2>/dev/null
}
cert server '/O=quoll tests/CN=localhost' 'subjectAltName=DNS:localhost,IP:127.0.0.1'
cert cnonly '/O=quoll tests/CN=zk.example.com' 'basicConstraints=CA:FALSE'
cert client '/DC=org/O=Quoll, Inc./OU=a+OU=b/CN=J\+ürgen #1 /emailAddress=j@example.com' 'extendedKeyUsage=clientAuth'

pw=changeit
bundle() { cat "$tmp/$1.crt" ca.pem; }
cat "$tmp/server.key" >server.pem; bundle server >>server.pem
cat "$tmp/client.key" >client.pem; bundle client >>client.pem
cat "$tmp/cnonly.key" >cnonly.pem; bundle cnonly >>cnonly.pem
openssl pkcs8 -topk8 -in "$tmp/server.key" -passout pass:$pw -out encrypted.pem; bundle server >>encrypted.pem
openssl rsa -in "$tmp/server.key" -traditional -out pkcs1.pem 2>/dev/null; bundle server >>pkcs1.pem
openssl pkcs12 -export -inkey "$tmp/server.key" -in "$tmp/server.crt" -certfile ca.pem -name server -passout pass:$pw -out openssl.p12
openssl pkcs12 -export -legacy -inkey "$tmp/server.key" -in "$tmp/server.crt" -certfile ca.pem -name server -passout pass:$pw -out legacy.p12
openssl pkcs12 -export -inkey "$tmp/client.key" -in "$tmp/client.crt" -certfile ca.pem -name client -passout pass:$pw -out "$tmp/client.p12"

rm -f ./*.jks keytool.p12 trust.p12 two.p12
import() {
  keytool -importkeystore -noprompt -srckeystore "$1" -srcstoretype PKCS12 -srcstorepass $pw \
    -destkeystore "$2" -deststoretype "$3" -deststorepass $pw -destkeypass $pw 2>/dev/null
}
import openssl.p12 server.jks JKS
import openssl.p12 keytool.p12 PKCS12
import openssl.p12 pkcs12.jks PKCS12
import openssl.p12 two.p12 PKCS12
import "$tmp/client.p12" two.p12 PKCS12
for t in JKS:trust.jks PKCS12:trust.p12; do
  keytool -importcert -noprompt -alias ca -file ca.pem -keystore "${t#*:}" -storetype "${t%:*}" -storepass $pw 2>/dev/null
done
printf '%s\n' $pw >password
chmod 644 ./*.pem ./*.p12 ./*.jks password
