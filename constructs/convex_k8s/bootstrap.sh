#!/usr/bin/env bash
# Makes the Secret with the instance secret and the admin key, if and only if it is not there. It never changes one.
#
# Runs in a pod of the backend's image, which ships bash, curl, openssl and generate_key. Its ServiceAccount needs, in
# the namespace, `create` on secrets (which RBAC cannot limit to a name) and `get` on the one Secret of that name.
# The creation is one request, so that an interruption at any point leaves either the whole Secret or none.
#
#   SECRET_NAME              name of the Secret
#   INSTANCE_NAME            the instance's name
#   KEY_OF_INSTANCE_NAME     key of the instance name      (INSTANCE_NAME)
#   KEY_OF_INSTANCE_SECRET   key of the instance secret    (INSTANCE_SECRET)
#   KEY_OF_ADMIN_KEY         key of the admin key          (CONVEX_SELF_HOSTED_ADMIN_KEY)
#   SERVICE_ACCOUNT_DIR      token, ca.crt and namespace   (/var/run/secrets/kubernetes.io/serviceaccount)
#   API_SERVER               URL of the API server         (what Kubernetes says to every pod)
#
# No secret is printed, and none stands on a command line that `ps` shows, except for generate_key, which takes it there.
set -euo pipefail
trap 'exit 143' TERM INT

: "${SECRET_NAME:?}" "${INSTANCE_NAME:?}"
key_of_name=${KEY_OF_INSTANCE_NAME:-INSTANCE_NAME}
key_of_secret=${KEY_OF_INSTANCE_SECRET:-INSTANCE_SECRET}
key_of_admin_key=${KEY_OF_ADMIN_KEY:-CONVEX_SELF_HOSTED_ADMIN_KEY}
account=${SERVICE_ACCOUNT_DIR:-/var/run/secrets/kubernetes.io/serviceaccount}
PATH=$PATH:/convex

if [ -z "${API_SERVER:-}" ]; then
  host=${KUBERNETES_SERVICE_HOST:?}
  [[ $host == *:* ]] && host=[$host]
  API_SERVER=https://$host:${KUBERNETES_SERVICE_PORT:-443}
fi
namespace=$(<"$account/namespace")
collection=$API_SERVER/api/v1/namespaces/$namespace/secrets

say() { printf 'bootstrap: %s\n' "$*"; }

fail() {
  printf 'bootstrap: %s\n' "$*" >&2
  exit 1
}

# Sets `status` and `body`. What a request sends comes from standard input.
call() {
  local response
  response=$(curl --silent --show-error --noproxy "*" --cacert "$account/ca.crt" --connect-timeout 5 --max-time 30 \
    --retry 5 --retry-delay 1 --retry-all-errors --write-out '\n%{http_code}' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$(<"$account/token")") "$@") ||
    fail "the API server at $API_SERVER does not answer"
  status=${response##*$'\n'}
  body=${response%$'\n'*}
}

refused() {
  local reason=
  [[ $body =~ \"reason\":\ *\"([A-Za-z]+)\" ]] && reason=" (${BASH_REMATCH[1]})"
  fail "the API server answered $status$reason when asked to $1 the Secret $namespace/$SECRET_NAME:" \
    "the ServiceAccount needs \`create\` on secrets, and \`get\` on this one"
}

found() {
  local key
  for key in "$key_of_name" "$key_of_secret" "$key_of_admin_key"; do
    [[ $body =~ \""$key"\":[[:space:]]*\"[^\"] ]] ||
      fail "the Secret $namespace/$SECRET_NAME is there and has no $key. It is never changed from here:" \
        "add the key, or delete the Secret if nothing uses it yet"
  done
  say "the Secret $namespace/$SECRET_NAME is there: nothing to do"
  exit 0
}

[[ $INSTANCE_NAME =~ ^[A-Za-z][A-Za-z0-9_-]*$ ]] ||
  fail "INSTANCE_NAME must begin with a letter and have only letters, digits, - and _ after it"

call "$collection/$SECRET_NAME" </dev/null
case $status in
  200) found ;;
  404) ;;
  *) refused get ;;
esac

instance_secret=$(openssl rand -hex 32)
[[ $instance_secret =~ ^[0-9a-f]{64}$ ]] || fail "openssl made no instance secret"
admin_key=$(generate_key "$INSTANCE_NAME" "$instance_secret" 2>/dev/null) || fail "generate_key failed"
[[ $admin_key =~ ^"$INSTANCE_NAME"\|[0-9a-f]+$ ]] || fail "generate_key made no admin key of the form <name>|<hex>"

call --request POST --header 'Content-Type: application/json' --data-binary @- "$collection" <<EOF
{
  "apiVersion": "v1",
  "kind": "Secret",
  "metadata": {"name": "$SECRET_NAME", "namespace": "$namespace"},
  "type": "Opaque",
  "stringData": {
    "$key_of_name": "$INSTANCE_NAME",
    "$key_of_secret": "$instance_secret",
    "$key_of_admin_key": "$admin_key"
  }
}
EOF
case $status in
  201) say "made the Secret $namespace/$SECRET_NAME" ;;
  409)
    call "$collection/$SECRET_NAME" </dev/null
    [ "$status" = 200 ] || refused get
    found
    ;;
  *) refused create ;;
esac
