#!/bin/sh
# Fetches a backup from the bucket into FOLDER, where `restore.mjs` takes it from. Runs in rclone's image; the variables
# are those of backup_upload.sh, and
#
#   RESTORE_FROM      <UTC time>.zip, <instance>/<UTC time>.zip, or latest
#   SOURCE_INSTANCE   the instance whose backups `latest` and a bare name mean
set -eu
. "$(dirname "$0")/bucket.sh"

[ -n "${RESTORE_FROM:-}" ] || fail "this Job restores nothing by itself: \`python3 main.py restore <overlay> --from latest\` starts one"
object=$RESTORE_FROM
case $object in
  */*) ;;
  latest)
    names=$(rclone lsf --files-only "$(remote "${SOURCE_INSTANCE:?}")/") || fail "the bucket $BUCKET cannot be listed"
    object=$SOURCE_INSTANCE/$(printf '%s\n' "$names" | grep -E "$NAME" | sort | tail -n 1)
    [ "$object" != "$SOURCE_INSTANCE/" ] || fail "there is no backup below $BUCKET/$place$SOURCE_INSTANCE/"
    ;;
  *) object=${SOURCE_INSTANCE:?}/$object ;;
esac
say "fetching $BUCKET/$place$object"
rclone copyto "$(remote "$object")" "$FOLDER/snapshot.zip" || fail "$BUCKET/$place$object cannot be fetched"
[ -f "$FOLDER/snapshot.zip" ] || fail "there is no object $BUCKET/$place$object"
