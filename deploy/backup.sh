#!/bin/sh
# A base backup of the whole cluster into a folder of its own, checked file by file; the newest ones are kept.
#
#   backup.sh FOLDER [KEEP [WAL]]   makes FOLDER/<time>, keeps the KEEP newest (7), and of the archived pieces of the
#                                   log in WAL, which lie there as .gz, those that the kept ones need
#
# VERIFY is the program that checks it, instead of pg_verifybackup.
# Where the server is, and who asks, comes from libpq's variables (PGHOST, PGUSER, PGPASSWORD …). A base backup and not
# a dump: readers of events go by the ids of transactions, which a dump that is loaded elsewhere does not continue.
set -eu

folder=$1
keep=${2:-7}
wal=${3:-}
name=$(date -u +%Y-%m-%dT%H-%M-%SZ)
umask 077

mkdir -p "$folder"
rm -rf "$folder"/*.unfinished
pg_basebackup --pgdata="$folder/$name.unfinished" --format=plain --wal-method=stream --checkpoint=fast \
    --manifest-checksums=SHA256 --no-password
${VERIFY:-pg_verifybackup --quiet} "$folder/$name.unfinished"
mv "$folder/$name.unfinished" "$folder/$name"

# What is older than the KEEP newest goes: never before the new one was checked.
backups() {
    ls -1r "$folder" | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9-]+Z$'
}
for old in $(backups | tail -n +$((keep + 1))); do
    rm -rf "${folder:?}/$old"
done
if [ -n "$wal" ]; then
    oldest=$(backups | tail -n 1)
    first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\))$/\1/p' "$folder/$oldest/backup_label")
    pg_archivecleanup -x .gz "$wal" "${first:?}"
fi
echo "$folder/$name"
