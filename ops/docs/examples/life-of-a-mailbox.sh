#!/usr/bin/env bash
# The whole life of a mailbox, from its creation to the destruction of its last message, with curl and the gateway's
# OpenAPI document alone (python3 reads the JSON). Run it as the user that the gateway runs as:
#
#   ops/docs/examples/life-of-a-mailbox.sh ./data
#
# SMTP_URL and POP3S_URL say where mail goes in and out, if not at the ports of a fresh installation. Nothing is left of the
# mailbox but its history; the administrator whom the script makes, ADMINISTRATOR, is removed at its end.
set -euo pipefail

data=${1:?Where is the data directory of the running gateway?}
smtp=${SMTP_URL:-smtp://127.0.0.1:2525}
pop3s=${POP3S_URL:-pop3s://127.0.0.1:2995}
name=${ADMINISTRATOR:-example}
alias=${ALIAS:-life-of-a-mailbox@example.com}

api=$(cut -d/ -f1-3 "$data/admin.url")
umask 077
work=$(mktemp -d)
begun=$(date -u +%Y-%m-%dT%H:%M:%SZ)
trap 'rm -r "$work"' EXIT

say() { printf '\n== %s\n' "$*" >&2; }
web() { curl --silent --show-error --cacert "$data/admin.crt" "$@"; }

# --- What the API can do: one line for each operation, "operationId METHOD path".
web --fail "$api/v1/openapi.json" | python3 -c '
import json, sys
for path, methods in json.load(sys.stdin)["paths"].items():
    for method, operation in methods.items():
        print(operation["operationId"], method.upper(), path)' > "$work/operations"

# --- Who asks: each is a file with options of curl, so that no secret stands in the list of processes.
bearer() { printf 'header = "Authorization: Bearer %s"\n' "$2" > "$work/$1"; }
bearer local "$(cat "$data/admin.token")"
printf 'header = "Sealpost-User: %s"\n' "$(id -un)" >> "$work/local"
printf 'cookie = "%s"\ncookie-jar = "%s"\nheader = "Origin: %s"\n' "$work/cookies" "$work/cookies" "$api" > "$work/person"

# ask WHO OPERATION [BODY] [NAME=VALUE…]: an operation of the document. NAME is a parameter of its path, or of the query.
# Prints the answer; the status is left in $work/status.
ask() {
  local who=$1 operation=$2 body=${3-} method path
  read -r method path < <(sed -n "s/^$operation //p" "$work/operations")
  local query=()
  for parameter in "${@:4}"; do
    case $path in
      *"{${parameter%%=*}}"*) path=${path/"{${parameter%%=*}}"/${parameter#*=}} ;;
      *) query+=(--get --data-urlencode "$parameter") ;;
    esac
  done
  local sent=()
  [ -z "$body" ] || sent=(--header 'Content-Type: application/json' --data-binary @-)
  printf '%s' "$body" | web --config "$work/$who" --request "$method" "${sent[@]}" "${query[@]}" \
    --output "$work/answer" --write-out '%{http_code}' "$api$path" > "$work/status"
  cat "$work/answer" 2> /dev/null || true
  : > "$work/answer"
}

# The same, for what has to succeed.
call() {
  local answer
  answer=$(ask "$@")
  case $(cat "$work/status") in
    2*) printf '%s' "$answer" ;;
    *) printf '%s failed: %s\n' "$2" "$answer" >&2; return 1 ;;
  esac
}

# The same, for what has to be refused with the code of a problem.
refused() {
  local code=$1 answer
  answer=$(ask "${@:2}")
  [ "$(printf '%s' "$answer" | field code)" = "$code" ] || { printf 'not refused with %s: %s\n' "$code" "$answer" >&2; return 1; }
  printf 'Refused: %s\n' "$(printf '%s' "$answer" | field detail)" >&2
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
# json NAME VALUE…: an object of texts.
json() {
  printf '%s\0' "$@" |
    python3 -c 'import json, sys; words = sys.stdin.read().split("\0"); print(json.dumps(dict(zip(words[::2], words[1::2]))))'
}

# --- Mail: in over SMTP, out over POP3.
send() {
  printf 'From: <ada@example.com>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nHello.\r\n' "$alias" "$1" > "$work/mail"
  curl --silent --show-error --ssl-reqd --cacert "$data/admin.crt" --mail-from ada@example.com --mail-rcpt "$alias" \
    --upload-file "$work/mail" "$smtp"
}
collect() {
  printf 'user = "%s:%s"\n' "$mailbox" "$1" |
    curl --silent --show-error --config - --cacert "$data/admin.crt" "$pop3s/1" | grep -i '^Subject:' >&2
}

say "A person gets a name and a password for once, and makes it their own"
first=$(call local postAdministrators "$(json name "$name" role admin)" | field password)
own="$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')"
call person postSession "$(json name "$name" password "$first")" > /dev/null
call person putSessionPassword "$(json oldPassword "$first" newPassword "$own")"

say "They issue tokens: to a program that runs the mailboxes, and to an auditor's"
issue() { call person postTokens "{\"role\":\"$1\",\"name\":\"life of a mailbox\",\"expires\":3600}"; }
operator=$(issue operator)
auditor=$(issue auditor)
bearer operator "$(printf '%s' "$operator" | field token)"
bearer auditor "$(printf '%s' "$auditor" | field token)"

say "The program creates a mailbox and gives it an alias"
created=$(call operator postMailboxes "$(json name 'Life of a mailbox')")
mailbox=$(printf '%s' "$created" | field mailboxId)
password=$(printf '%s' "$created" | field password)
call operator postMailboxesAliases "{\"add\":[\"$alias\"]}" id="$mailbox"

say "Mail comes in, and is collected"
send 'the first'
collect "$password"

say "The person changes the password and rotates the key: the mail opens as before"
password=$(call person postMailboxesPassword "$(json oldPassword "$password")" id="$mailbox" | field password)
call person postMailboxesRotateKey "$(json password "$password")" id="$mailbox" > /dev/null
collect "$password"

say "The password is reset without the old one: it opens new mail, the old one the old mail"
new=$(call person postMailboxesResetPassword '{}' id="$mailbox" | field password)
send 'the second'
collect "$password"
collect "$new"

say "In use it is not deleted"
refused mailbox-conflict person postMailboxesDelete "$(json reason 'tidying up')" id="$mailbox"

say "Under a hold nothing is destroyed, and a program that runs mailboxes cannot lift it"
call person postMailboxesHold "$(json reason 'lawsuit 7 O 12/25')" id="$mailbox"
call operator postMailboxesSuspend "$(json reason 'left the company')" id="$mailbox"
refused mailbox-held person postMailboxesDelete "$(json reason 'tidying up')" id="$mailbox"
refused role-insufficient operator postMailboxesRelease "$(json reason 'in the way')" id="$mailbox"
call person postMailboxesRelease "$(json reason settled)" id="$mailbox"

say "It is deleted, but while nobody has deleted its mail only if that is meant"
refused mailbox-not-empty person postMailboxesDelete "$(json reason 'left the company')" id="$mailbox"
call person postMailboxesDelete '{"reason":"left the company","force":true}' id="$mailbox"

say "Its messages and its keys are destroyed by the next sweep"
for _ in $(seq 1 120); do
  state=$(call auditor getMailboxesById '' id="$mailbox" | field state)
  [ "$state" != destroyed ] || break
  sleep 1
done
[ "$state" = destroyed ]

say "What was said is over: tokens are revoked, the person logs out and is removed"
call person deleteTokensById '' id="$(printf '%s' "$operator" | field tokenId)"
call person deleteSession ''

say "The auditor reads who did all that"
# history NAME=VALUE: one line for each event, in pages.
history() {
  local after=() page
  while :; do
    page=$(call auditor getEvents '' "$@" limit=50 "${after[@]}")
    printf '%s' "$page" | python3 -c '
import json, sys
for event in json.load(sys.stdin)["events"]:
    print(event["metadata"]["at"], event["type"], event["metadata"]["principal"], event["metadata"].get("source", "-"))'
    after=("after=$(printf '%s' "$page" | field next)")
    [ "${after[0]}" != 'after=None' ] || break
  done
}
history since="$begun"

call local deleteTokensById '' id="$(printf '%s' "$auditor" | field tokenId)"
call local deleteAdministratorsByName '' name="$name"
