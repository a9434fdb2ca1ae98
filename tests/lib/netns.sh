# SPDX-License-Identifier: GPL-2.0-or-later
# summary: namespaces for tests: one private world, inside it networks and links
#
# Source it, then:
#	netns_enter "$0" "$@"           once, first: the rest runs inside the world
#	netns_add gw                    a network namespace held by a sleeper
#	netns_link gw lan8 db eth0      a veth pair, both ends up
#	netns_addr gw lan8 10.0.0.1/24 fd00::1/64
#	netns_exec gw nft list ruleset  run a command there
#
# The world is a user (unless root), network, mount, host name and process namespace.
# /run is a fresh tmpfs in it: everything a test leaves under /run ends with it, and so
# does every process, whichever way the test ends.

# nft, smbd and xrdp live where only root's PATH looks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
# cordond refuses a policy that others may write, whatever the user's umask.
umask 022
# The directory of the sleepers' process ids.  A child script may inherit it.
NETNS_DIR=${NETNS_DIR:-/run/netns}
export NETNS_DIR

# Flags for unshare: root stays real root (LAB_USERNS=1: as others), others become the
# root of a user namespace.
netns_flags() {
	if [ "$(id -u)" = 0 ] && [ -z "${LAB_USERNS:-}" ]; then
		echo -nmupf
	else
		echo -Urnmupf
	fi
}

# Re-execute the script in a world of its own; returns only inside it.  Exit 77 and a
# reason where the system forbids that.
netns_enter() {
	if [ -n "${NETNS_INSIDE:-}" ]; then
		netns_inside
		return
	fi
	if ! netns_why=$(unshare $(netns_flags) --mount-proc true 2>&1); then
		echo "SKIP: cannot make namespaces: $netns_why" >&2
		echo "  run it as root, or allow user namespaces" \
			"(sysctl kernel.unprivileged_userns_clone=1; with AppArmor" \
			"kernel.apparmor_restrict_unprivileged_userns=0)" >&2
		exit 77
	fi
	NETNS_INSIDE=1
	export NETNS_INSIDE
	exec unshare $(netns_flags) --mount-proc --kill-child=KILL "${NETNS_SHELL:-sh}" "$@"
}

netns_inside() {
	mount -t tmpfs -o mode=755 netns /run || exit 77
	mkdir -p "$NETNS_DIR" /run/lock
	# Clients tell their host's name to servers; the name must resolve, without DNS.
	hostname lab
	printf '127.0.0.1 localhost lab\n::1 localhost lab\n' >/run/hosts
	mount --bind /run/hosts /etc/hosts
	ip link set lo up
	# This shell is the world's process 1: when it ends the kernel ends the rest.
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

netns_pid() {
	cat "$NETNS_DIR/$1"
}

netns_add() {
	unshare -n sleep infinity </dev/null >/dev/null 2>&1 &
	netns_sleeper=$!
	netns_own=$(readlink /proc/self/ns/net)
	# Wait until it has left our network and become the sleeper.
	while [ "$(readlink /proc/$netns_sleeper/ns/net)" = "$netns_own" ] ||
		[ "$(cat /proc/$netns_sleeper/comm 2>/dev/null)" != sleep ]; do
		kill -0 $netns_sleeper 2>/dev/null || return 1
	done
	echo $netns_sleeper >"$NETNS_DIR/$1"
	netns_exec "$1" ip link set lo up
}

netns_exec() {
	netns_name=$1
	shift
	nsenter -t "$(netns_pid "$netns_name")" -n -- "$@"
}

# netns_link NS_A IF_A NS_B IF_B
netns_link() {
	netns_exec "$1" ip link add "$2" type veth peer name "$4" \
		netns "$(netns_pid "$3")" || return
	netns_exec "$1" ip link set "$2" up
	netns_exec "$3" ip link set "$4" up
}

# netns_addr NS IF ADDR/LEN...
netns_addr() {
	netns_where=$1 netns_if=$2
	shift 2
	for netns_a in "$@"; do
		case $netns_a in
		*:*) netns_exec "$netns_where" ip addr add "$netns_a" dev "$netns_if" nodad ;;
		*) netns_exec "$netns_where" ip addr add "$netns_a" dev "$netns_if" ;;
		esac || return
	done
}

# netns_route NS GATEWAY...: default routes
netns_route() {
	netns_where=$1
	shift
	for netns_a in "$@"; do
		netns_exec "$netns_where" ip route add default via "$netns_a" || return
	done
}

# netns_sysctl NS KEY=VALUE...: writes only below /proc/sys/net
netns_sysctl() {
	netns_where=$1
	shift
	for netns_a in "$@"; do
		netns_exec "$netns_where" sh -c 'echo "$2" >"/proc/sys/net/$1"' sh \
			"${netns_a%%=*}" "${netns_a#*=}" || return
	done
}

# wait_for SECONDS WHAT COMMAND...: poll until COMMAND succeeds; else say WHAT failed.
wait_for() {
	wait_tries=$(($1 * 20)) wait_what=$2
	shift 2
	while ! "$@" >/dev/null 2>&1; do
		wait_tries=$((wait_tries - 1))
		if [ $wait_tries -le 0 ]; then
			echo "not ready in time: $wait_what" >&2
			return 1
		fi
		sleep 0.05
	done
}
