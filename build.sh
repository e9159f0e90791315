#!/usr/bin/env bash
# The only entry to this tree: builds, tests and shows standfast. Needs Go and nothing else; what a verb lacks beyond
# that it installs on Debian as root, or says in one line what to install.
set -euo pipefail
cd "$(dirname "$0")"

staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
exhaustive=github.com/nishanths/exhaustive/cmd/exhaustive@v0.17.1
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0

usage() {
	cat <<-'END'
	usage: ./build.sh [verb]
	  build            bin/standfast: static, stripped, reproducible (the default)
	  test             format, vet, layout and every test; race detector included; a few stories on virtual machines
	  demo [flag...]   two routers in throw-away namespaces tell the four stories of the crossover cable
	  bench [flag...]  how long a takeover takes, over many runs; bench body: lateness on a busy machine, memory, idle time
	  soak [flag...]   what a router must survive, for minutes: -for 10m, -jobs 3, or the stories named behind the flags; -h lists all
	  mutate [NAME...] would the tests notice? small changes of vrrp, vrrp/verdict and vrrp/node, and the deliberate defects
	  vm [flag...]     the package on two virtual machines that lose power, cables, cards and disks: -short, -stories a,e1; -h lists all
	  sim [flag...]    simulated worlds on all cores: -for 10m, -seeds N, -seed S, -story FILE; -h lists all
	  fuzz [flag...]   every fuzz target, or those named behind the flags, one after the other: -for 10m, -keep; -h lists all
	  rpm              packages for x86_64 and aarch64 in dist/, RPM and .deb; RELEASE=N, and STANDFAST_GPG_KEY=ID to sign
	  check            test, and every static check there is, and known vulnerabilities where they can be looked up
	END
}

say() { printf '== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# lacking PACKAGE...: installs them, or says how. Daemons among them are neither started nor enabled.
lacking() {
	if [ "$(id -u)" != 0 ] || ! have apt-get; then
		say "lacking $*; on Debian: sudo apt-get install $*"
		return 1
	fi
	say "installing $*"
	local guard=/usr/sbin/policy-rc.d made=""
	if [ ! -e "$guard" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$guard" && chmod 755 "$guard" && made=yes
	fi
	local log status=0
	log=$(mktemp)
	apt_install "$@" >"$log" 2>&1 || { apt_update >>"$log" 2>&1 && apt_install "$@" >>"$log" 2>&1; } || status=$?
	[ -z "$made" ] || rm -f "$guard"
	[ "$status" = 0 ] || say "apt-get could not install $*: $(tail -n 1 "$log")"
	rm -f "$log"
	return "$status"
}
apt_install() { DEBIAN_FRONTEND=noninteractive apt-get "${apt[@]}" install -y --no-install-recommends "$@" </dev/null; }
apt_update() { apt-get "${apt[@]}" update </dev/null; }
apt=(-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 -o DPkg::Lock::Timeout=60)

need_go() {
	have go && return
	echo "build.sh: lacking Go; install 1.26 or newer from https://go.dev/dl/ and put it into PATH" >&2
	exit 1
}

# compiles: is there a C compiler for the race detector?
compiles() { have gcc && echo '#include <stdlib.h>' | gcc -E -x c - >/dev/null 2>&1; }

# want_race sets race to the flag, or to nothing where there is no C compiler to be had.
want_race() {
	race=-race
	compiles || { lacking gcc libc6-dev && compiles; } || { race=""; say "no C compiler: tests run without the race detector"; }
}

# want_keepalived: the other half of some tests, and the yardstick of the demo. Without it they say so.
want_keepalived() {
	! have keepalived || return 0
	lacking keepalived || { say "no keepalived: what compares with it or works beside it is left out"; return 0; }
	! have systemctl || systemctl disable keepalived >/dev/null 2>&1 || true
}

# want_file_systems: disks that fail are tried with each file system that routers run from. Without its tools it is left out.
want_file_systems() {
	local missing=()
	have mkfs.ext4 || missing+=(e2fsprogs)
	have mkfs.xfs || missing+=(xfsprogs)
	have mkfs.btrfs || missing+=(btrfs-progs)
	[ ${#missing[@]} = 0 ] || lacking "${missing[@]}" || say "without ${missing[*]}: their file systems are left out"
}

# product GOARCH OUTPUT, for the oldest processors of that name.
product() {
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 GOAMD64=v1 GOARM64=v8.0 go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$2" ./service/standfast
}

build() {
	say "bin/standfast"
	product "$(go env GOARCH)" bin/standfast
}

compiled() {
	build
	say "bin/standfast-arm64"
	product arm64 bin/standfast-arm64
}

# reproduced builds a copy of the tree in another folder and wants the same bytes.
reproduced() {
	say "the same bytes from another folder"
	local copy
	copy=$(mktemp -d)
	cp -R go.mod go.sum configfs hw service vrrp "$copy"
	(cd "$copy" && product "$(go env GOARCH)" standfast)
	cmp bin/standfast "$copy/standfast"
	rm -rf "$copy"
}

formatted() {
	say "gofmt"
	local files
	files=$(find . -name '*.go' -not -path './.git/*' -exec "$(go env GOROOT)/bin/gofmt" -l {} +)
	[ -z "$files" ] || { printf 'not formatted: %s\n' $files; exit 1; }
}

vetted() {
	say "go vet"
	go vet ./...
}

linted() {
	say "staticcheck, every check"
	go run "$staticcheck" -checks all ./...
	say "exhaustive enums"
	go run "$exhaustive" -d -typeonly '^standfast/' -constignore '\.[nN]um[A-Z]' ./...
}

# tested: first what thinks, side by side, then what touches the kernel, one package at a time, since it measures times.
tested() {
	want_race
	want_keepalived
	want_file_systems
	want_rpm || say "no rpmbuild: what the RPM does on a host is left out"
	local cgo=0
	[ -z "$race" ] || cgo=1
	say "layout"
	CGO_ENABLED=0 go test .
	say "tests of what thinks and reads: vrrp, configfs ${race:+(race)}"
	CGO_ENABLED=$cgo go test $race -timeout 10m ./vrrp/... ./configfs/...
	say "tests of what is delivered: packaging"
	CGO_ENABLED=$cgo go test $race -timeout 10m -count=1 ./packaging
	say "tests of what touches the kernel: hw, service ${race:+(race)}"
	CGO_ENABLED=$cgo go build $race ./hw/... ./service/...
	CGO_ENABLED=$cgo go test $race -timeout 10m -count=1 -p 1 ./hw/... ./service/...
}

# want_rpm: rpmbuild makes packages for CentOS on any machine.
want_rpm() { have rpmbuild || lacking rpm; }

# packaged makes the packages of every architecture, on this machine and for it alone the completions are written.
packaged() {
	want_rpm || exit 1
	build
	mkdir -p dist
	local arch
	for arch in amd64 arm64; do
		say "packages for $arch"
		product "$arch" "bin/standfast-$arch"
		packaging/build "$arch" "bin/standfast-$arch" bin/standfast dist
	done
}

# machines FLAG...: virtual machines on which the package is installed, and what befalls them. Two packages, one newer than
# the other; without QEMU the program says so.
machines() {
	local missing=() release packages=bin/vm-packages
	have qemu-system-x86_64 || missing+=(qemu-system-x86)
	have debootstrap || missing+=(debootstrap)
	have mke2fs || missing+=(e2fsprogs)
	[ ${#missing[@]} = 0 ] || lacking "${missing[@]}" || true
	want_rpm || { say "no rpmbuild: the stories on virtual machines are left out"; return; }
	build
	product amd64 bin/standfast-amd64
	rm -rf "$packages"
	mkdir -p "$packages"
	for release in 1 2; do RELEASE=$release packaging/build amd64 bin/standfast-amd64 bin/standfast "$packages" >/dev/null; done
	CGO_ENABLED=0 go build -o bin/vm ./service/lab/vm
	bin/vm -packages "$packages" -cache bin/vm-disk "$@"
}

vulnerable() {
	if ! { have curl && curl -fsS -m 5 -o /dev/null https://vuln.go.dev/index/db.json; } 2>/dev/null; then
		say "govulncheck left out: its database at vuln.go.dev cannot be reached from here"
		return
	fi
	say "govulncheck"
	go run "$govulncheck" ./...
}

# mutated NAME...: packages, or "defects"; all of them without a name.
mutated() {
	say "mutations that no test notices, and defects that no invariant names"
	CGO_ENABLED=0 go run ./service/lab/mutate "$@"
}

# laboratory NAME FLAG...: builds and runs one of the programs about the product.
laboratory() {
	local name=$1
	shift
	build
	want_keepalived
	CGO_ENABLED=0 go build -o "bin/$name" "./service/lab/$name"
	exec "bin/$name" --standfast "$PWD/bin/standfast" "$@"
}

# simulated FLAG...: runs simulated worlds.
simulated() {
	CGO_ENABLED=0 go build -o bin/sim ./service/lab/sim
	exec bin/sim "$@"
}

# fuzzed FLAG... TARGET...: runs the fuzz targets.
fuzzed() {
	CGO_ENABLED=0 go build -o bin/fuzz ./service/lab/fuzz
	exec bin/fuzz "$@"
}

verb=${1:-build}
[ $# = 0 ] || shift
case $verb in
demo | bench | soak | mutate | sim | fuzz | vm) ;;
build | test | check | rpm) [ $# = 0 ] || { usage >&2; exit 2; } ;;
-h | --help | help) usage; exit ;;
*) usage >&2; exit 2 ;;
esac
need_go
case $verb in
build) build ;;
test) formatted; compiled; vetted; tested; machines -short ;;
check) formatted; compiled; reproduced; vetted; linted; tested; machines -short; vulnerable ;;
rpm) packaged ;;
mutate) mutated "$@" ;;
demo | bench | soak) laboratory "$verb" "$@" ;;
sim) simulated "$@" ;;
fuzz) fuzzed "$@" ;;
vm) machines "$@" ;;
esac
