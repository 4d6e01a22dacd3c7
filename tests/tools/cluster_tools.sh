#!/bin/sh
# Brings the programs of a control plane into .cluster-tools/: from setup-envtest if it is installed and can download
# them, else built from Go modules. It asks for nothing that is there already.
set -eu
cd "$(dirname "$0")/../.."
folder=${CLUSTER_TOOLS:-$PWD/.cluster-tools}
modules=tests/tools/control_plane

missing() {
  for program in etcd kubectl kube-controller-manager kube-apiserver; do
    [ -x "$folder/$program" ] || echo "$program"
  done
}

mkdir -p "$folder"
if [ -n "$(missing)" ] && command -v setup-envtest >/dev/null && found=$(setup-envtest use 1.36.x -p path); then
  for program in $(missing); do
    [ ! -x "$found/$program" ] || cp "$found/$program" "$folder/$program"
  done
fi

if [ -n "$(missing)" ] && ! command -v go >/dev/null; then
  echo "missing: $(missing | xargs). Install Go 1.26 or newer, which builds them, or put them into $folder" >&2
  exit 1
fi
for program in $(missing); do
  case $program in
    etcd) package=go.etcd.io/etcd/server/v3 ;;
    *) package=k8s.io/kubernetes/cmd/$program ;;
  esac
  echo "building $program, which takes minutes" >&2
  version=$(go list -C "$modules" -m -f '{{.Version}}' k8s.io/kubernetes)
  parts=${version#v}
  minor=${parts#*.}
  stamp=k8s.io/component-base/version
  CGO_ENABLED=0 go build -C "$modules" -trimpath -o "$folder/$program" \
    -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=${parts%%.*} -X $stamp.gitMinor=${minor%%.*}" \
    "$package"
done
echo "$folder"
