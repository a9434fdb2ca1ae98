# More than 4 MiB.
mkdir hosts
head -c 4194305 /dev/zero | tr '\0' '#' > hosts/a.yaml
