# More ports in one rule than any rule needs.
mkdir hosts
{ echo 'host: a'; echo 'addresses: 10.9.0.11'; echo 'allow:'; echo '  inbound:'
  echo '    - id: many'; echo '      from: 10.8.0.1'; echo '      service:'
  seq 1 300 | sed 's,^,        - tcp/,'; } > hosts/a.yaml
