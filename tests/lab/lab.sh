# SPDX-License-Identifier: GPL-2.0-or-later
# summary: the lab: a gateway, a legacy network, outsiders, and their real servers
#
#   jump-host  10.1.0.5  fd00:1::5 ---+
#   app-server 10.30.0.7 fd00:30::7 --+- gateway -lan8- switch -+- erp-db01 10.20.8.11
#   intruder   10.66.0.66 fd00:66::66 +  (cordond)   10.20.8.1  +- files01  10.20.8.12
#
# Source it behind netns.sh, inside the world.  LAB is the lab's directory.
LAB=${LAB:-/run/lab}
LAB_SRC=${LAB_SRC:?directory of the lab scripts}
LAB_PY=/usr/bin/python3 # Debian's own: python3-impacket is installed for it
LAB_NETS="jump:jump-host:10.1.0:fd00:1:5 app:app-server:10.30.0:fd00:30:7
	out:intruder:10.66.0:fd00:66:66"
export LAB LAB_PY

# One outside network of LAB_NETS and the host in it.
lab_outside() {
	lab_if=$1 lab_host=$2 lab_v4=$3 lab_v6=$4:$5 lab_n=$6
	netns_add "$lab_host" &&
		netns_link gateway "$lab_if" "$lab_host" eth0 &&
		netns_addr gateway "$lab_if" "$lab_v4.1/24" "$lab_v6::1/64" &&
		netns_addr "$lab_host" eth0 "$lab_v4.$lab_n/24" "$lab_v6::$lab_n/64" &&
		netns_route "$lab_host" "$lab_v4.1" "$lab_v6::1"
}

# lab_legacy NAME LAST_BYTE: a host on the switch of the legacy network
lab_legacy() {
	netns_add "$1" &&
		netns_link switch "port$2" "$1" eth0 &&
		netns_exec switch ip link set "port$2" master br0 &&
		netns_addr "$1" eth0 "10.20.8.$2/24" "fd00:20:8::$2/64" &&
		netns_route "$1" 10.20.8.1 fd00:20:8::1
}

lab_networks() {
	mkdir -p "$LAB/log" "$LAB/home" "$LAB/tmp"
	netns_add gateway && netns_add switch || return
	# Without rp_filter: what a spoofed packet meets is to be cordon, not routing.
	netns_sysctl gateway ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 \
		ipv4/conf/all/rp_filter=0 ipv4/conf/default/rp_filter=0 || return
	netns_exec switch ip link add br0 type bridge || return
	netns_exec switch ip link set br0 up
	netns_link gateway lan8 switch uplink &&
		netns_exec switch ip link set uplink master br0 &&
		netns_addr gateway lan8 10.20.8.1/24 fd00:20:8::1/64 || return
	for lab_net in $LAB_NETS; do
		(IFS=: && set -- $lab_net && unset IFS && lab_outside "$@") || return
	done
	lab_legacy erp-db01 11 && lab_legacy files01 12
}

# lab_run NS LOG COMMAND...: a server there, in the background
lab_run() {
	lab_ns=$1 lab_log=$LAB/log/$2.log
	shift 2
	HOME=$LAB/home TMPDIR=$LAB/tmp netns_exec "$lab_ns" "$@" </dev/null >"$lab_log" 2>&1 &
}

# A private /etc/xrdp: xrdp reads its RSA keys only from there.
lab_xrdp_config() {
	lab_x=$LAB/xrdp
	mkdir -p "$lab_x" /run/xrdp
	cp /etc/xrdp/km-*.ini /etc/xrdp/xrdp_keyboard.ini "$lab_x"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$lab_x/key.pem" \
		-out "$lab_x/cert.pem" -subj /CN=erp-db01 -days 30 2>/dev/null || return
	(cd "$lab_x" && xrdp-keygen xrdp rsakeys.ini >/dev/null 2>&1) || return
	sed -e "s,^certificate=.*,certificate=/etc/xrdp/cert.pem," \
		-e "s,^key_file=.*,key_file=/etc/xrdp/key.pem," \
		-e "s,^LogFile=.*,LogFile=$LAB/log/xrdp-own.log," \
		-e "s,^EnableSyslog=.*,EnableSyslog=false," \
		-e "s,^security_layer=.*,security_layer=negotiate," \
		/etc/xrdp/xrdp.ini >"$lab_x/xrdp.ini" || return
	mount --bind "$lab_x" /etc/xrdp
}

# files01: smbd, or impacket's SMB2 where smbd can't run (no setgroups without root).
lab_files01() {
	lab_s=$LAB/samba
	mkdir -p "$lab_s/private" "$lab_s/lock" "$lab_s/share"
	echo "plant drawings" >"$lab_s/share/drawings.txt"
	if [ "$(cat /proc/self/setgroups)" = allow ]; then
		lab_smbd_config
		lab_run files01 smbd smbd -F --no-process-group -l "$LAB/log" \
			-s "$lab_s/smb.conf"
	else
		lab_run files01 smbd $LAB_PY "$LAB_SRC/smb2008.py" --smb2 \
			"drawings=$lab_s/share" 445
	fi
}

lab_smbd_config() {
	cat >"$lab_s/smb.conf" <<-END
		[global]
		netbios name = FILES01
		server min protocol = NT1
		ntlm auth = ntlmv1-permitted
		map to guest = Bad User
		guest account = $(id -un)
		disable netbios = no
		smb ports = 445
		load printers = no
		disable spoolss = yes
		interfaces = eth0
		private dir = $lab_s/private
		lock directory = $lab_s/lock
		state directory = $lab_s/lock
		cache directory = $lab_s/lock
		pid directory = $lab_s/lock
		ncalrpc dir = $lab_s/lock/ncalrpc
		log file = $LAB/log/smbd-own.log
		[drawings]
		path = $lab_s/share
		guest ok = yes
	END
}

# lab_display NS: an X server that listens there.  Two of one number compile their keymaps
# into one file, so each is waited for, and another number tried where it does not come.
lab_display() {
	for lab_d in 7 8 9; do
		lab_run "$1" "xvfb-$1" Xvfb ":$lab_d" -screen 0 640x480x24 -nolock -ac \
			-noreset -listen tcp -nolisten unix -nolisten local
		lab_x=$!
		echo "127.0.0.1:$lab_d" >"$LAB/display.$1"
		wait_for 10 "display $lab_d of $1" lab_shows "$1" "600$lab_d" && return
		kill "$lab_x" 2>/dev/null
	done
	return 1
}

# lab_shows NS PORT: the X server there lets a client in (X11 protocol, connection setup);
# it listens long before.
lab_shows() {
	netns_exec "$1" $LAB_PY -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 2)
s.sendall(bytes([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
sys.exit(s.recv(1) != b"\1")' "$2" 2>/dev/null
}

# lab_screen NS: what DISPLAY has to be there
lab_screen() {
	cat "$LAB/display.$1"
}

# Start every server of the lab; lab_ready waits for them.
lab_servers() {
	mkdir -p "$LAB/share"
	echo "order 4711" >"$LAB/share/orders.txt"
	lab_run erp-db01 smb2008 $LAB_PY "$LAB_SRC/smb2008.py" "erp=$LAB/share"
	lab_run erp-db01 services $LAB_PY "$LAB_SRC/services.py" db:1433 web:8080
	lab_run app-server app-services $LAB_PY "$LAB_SRC/services.py" web:8530
	lab_run intruder intruder-services $LAB_PY "$LAB_SRC/services.py" echo:4444
	lab_display jump-host && lab_display intruder || return
	lab_files01
	lab_xrdp_config || return
	lab_run erp-db01 xrdp xrdp --nodaemon -c /etc/xrdp/xrdp.ini
}

lab_listens() {
	netns_exec "$1" nc -z -w 1 127.0.0.1 "$2"
}

lab_ready() {
	for lab_p in erp-db01:445 erp-db01:139 erp-db01:1433 erp-db01:8080 erp-db01:3389 \
		files01:445 app-server:8530 intruder:4444; do
		wait_for 10 "server $lab_p" lab_listens "${lab_p%:*}" "${lab_p#*:}" || return
	done
}

lab_up() {
	lab_networks && lab_servers && lab_ready
}
