#!/bin/sh
# Puts the checked ZIP of FOLDER into the bucket: under a temporary name, read back and compared, then renamed. After
# that the oldest backups go. Runs in rclone's image; credentials come as AWS_* variables, or from the pod's cloud role.
#
#   FOLDER                 has <instance>/<UTC time>.zip
#   BUCKET, PREFIX         the object becomes <BUCKET>/<PREFIX>/<instance>/<UTC time>.zip
#   AWS_REGION, S3_ENDPOINT_URL   of the bucket; without an endpoint Amazon's
#   BACKUP_AWS_ACCESS_KEY_ID, BACKUP_AWS_SECRET_ACCESS_KEY   keys of the bucket's own, before AWS_*
#   KEEP_COUNT, KEEP_DAYS  what is kept in the bucket
set -eu
. "$(dirname "$0")/bucket.sh"

cd "$FOLDER"
set -- */*.zip
[ -f "$1" ] || fail "there is no checked ZIP in $FOLDER"
[ $# -eq 1 ] || fail "there is more than one ZIP in $FOLDER"
object=$1
instance=${object%/*}
unfinished=$object.incomplete
say "uploading $object to $BUCKET/$place"
rclone copyto "$object" "$(remote "$unfinished")" || fail "the upload to $BUCKET failed"
rclone cat "$(remote "$unfinished")" | cmp -s - "$object" || fail "what is in the bucket differs from the ZIP"
rclone moveto "$(remote "$unfinished")" "$(remote "$object")" || fail "the object could not be renamed"
size=$(rclone lsf --format s "$(remote "$object")")
[ "$size" = "$(wc -c <"$object" | tr -d ' ')" ] || fail "the object has $size bytes after it was renamed"
say "uploaded, read back and compared: $object"
echo "$BUCKET/$place$object" >uploaded

names=$(rclone lsf --files-only "$(remote "$instance")/") || fail "the bucket cannot be listed: nothing old was removed"
kept=$(printf '%s\n' "$names" | grep -E "$NAME" | sort)
if [ -n "${KEEP_DAYS:-}" ]; then
  since=$(date -u -d "@$(($(date -u +%s) - KEEP_DAYS * 86400))" +%Y-%m-%dT%H-%M-%SZ).zip
  old=$(printf '%s\n' "$kept" | awk -v since="$since" '$0 < since')
else
  old=$(printf '%s\n' "$kept" | awk -v keep="$KEEP_COUNT" '{ name[NR] = $0 } END { for (i = 1; i <= NR - keep; i++) print name[i] }')
fi
# What a run that was killed has left goes too: no other run is at this object.
for name in $old $(printf '%s\n' "$names" | grep -E "\.incomplete$" || true); do
  [ "$instance/$name" != "$object" ] || continue
  rclone deletefile "$(remote "$instance/$name")" || fail "$instance/$name could not be removed"
  say "removed $instance/$name"
done
