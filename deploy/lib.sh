# SPDX-License-Identifier: Apache-2.0
# Shell functions that deploy/quickstart and tests/run share. Sourced, not run.

say() { printf '%s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# install_missing LIST-FILE...: the Debian packages of the lists that are not there yet.
install_missing() {
	command -v dpkg-query >/dev/null || fail "this script installs Debian packages, and this is no Debian system; install by hand what $* list"
	local wanted missing sudo='' log
	wanted=$(sort -u "$@")
	missing=$(for package in $wanted; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || printf '%s ' "$package"
	done)
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || fail "these packages are missing and installing them needs root: $missing"
		sudo=sudo
	fi
	if [ "${ASSUME_YES:-no}" != yes ]; then
		[ -t 0 ] || fail "these packages are missing, and nobody can be asked whether to install them (--yes does not ask): $missing"
		printf 'To be installed: %s\nGo on? [Y/n] ' "$missing"
		read -r answer
		case "$answer" in n* | N*) fail "nothing was installed" ;; esac
	fi
	say "installing: $missing"
	log=$(mktemp)
	if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
		tail -n 3 "$log" >&2
		rm -f "$log"
		fail "the packages could not be installed; see the lines above"
	fi
	rm -f "$log"
}

# build_preset PRESET [TARGET...]: configures once, then builds; ninja's own lines show the progress.
build_preset() {
	local preset=$1 log
	shift
	log=$(mktemp)
	cmake --preset "$preset" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; fail "cmake could not configure the preset $preset"; }
	rm -f "$log"
	cmake --build --preset "$preset" ${1:+--target "$@"} || fail "the build of the preset $preset failed; see the lines above"
}

# wait_for SECONDS COMMAND...: until the command succeeds; false when the time is over.
wait_for() {
	local deadline=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# tells PATTERN COMMAND...: the command succeeds, and a line of what it prints is like that. It is heard to its end: one whose
# reader leaves at the first match may fail of that.
tells() {
	local pattern=$1 told
	shift
	told=$("$@") && grep -q -- "$pattern" <<<"$told"
}

# alive PID-FILE: the process that it names runs.
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
