# SPDX-License-Identifier: GPL-2.0-or-later
# summary: one cordond of a shell test: started, asked, killed; sourced.  dir: its folders;
# log: what it says; netns.sh is there
CORDOND=$(readlink -f "${BUILD:-build}/cordond")
CORDON=$(readlink -f "${BUILD:-build}/cordon")

cordon() { "$CORDON" --runtime-dir "$dir/run" "$@"; }
answers() { cordon status; }
daemon() {
	"$CORDOND" -c "$dir/policy" --runtime-dir "$dir/run" --state-dir "$dir/state" \
		2>>"$log" &
	daemon_pid=$!
	wait_for 20 engine answers
}
none_left() { ! pgrep -f -- '[c]ordond --role ' >/dev/null; }
killed() {
	kill -9 "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	wait_for 5 roles none_left
}
