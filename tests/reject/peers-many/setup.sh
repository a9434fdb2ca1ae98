# A small file that stands for 20 million addresses: groups in lists of their own.
mkdir hosts
{ printf 'big: ['
  seq 0 4999 | awk '{ printf "%s172.16.%d.%d", (NR > 1 ? "," : ""), $1 / 128, $1 % 128 * 2 }'
  echo ']'; } > groups.yaml
{ echo 'host: a'; echo 'addresses: 10.9.0.11'; echo 'allow:'; echo '  inbound:'
  seq 1 4000 | sed 's|.*|    - {id: r&, service: tcp/&, from: [big, 192.168.0.1], reason: x}|'
} > hosts/a.yaml
