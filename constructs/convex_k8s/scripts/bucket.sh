# shellcheck shell=sh
# What uploading and fetching have in common: where the bucket is, and who asks. Sourced, not run.

NAME='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z\.zip$'
export NAME

say() { printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$*"; }

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

: "${FOLDER:?}" "${BUCKET:?}"
place=${PREFIX:+$PREFIX/}
if [ -n "${BACKUP_AWS_ACCESS_KEY_ID:-}" ]; then
  export AWS_ACCESS_KEY_ID="$BACKUP_AWS_ACCESS_KEY_ID" AWS_SECRET_ACCESS_KEY="${BACKUP_AWS_SECRET_ACCESS_KEY:-}"
fi
export RCLONE_CONFIG=/notfound RCLONE_S3_ENV_AUTH=true RCLONE_S3_NO_CHECK_BUCKET=true RCLONE_LOG_LEVEL=ERROR
export RCLONE_S3_REGION="${AWS_REGION:-}" RCLONE_RETRIES=3 RCLONE_RETRIES_SLEEP=2s
if [ -n "${S3_ENDPOINT_URL:-}" ]; then
  export RCLONE_S3_PROVIDER=Other RCLONE_S3_ENDPOINT="$S3_ENDPOINT_URL"
else
  export RCLONE_S3_PROVIDER=AWS
fi

remote() { printf ':s3:%s/%s%s' "$BUCKET" "$place" "$1"; }
