#!/usr/bin/env bash
# A tenant's first weeks with curl alone, every answer checked: the operator makes a tenant, connects Okta, invites, quarantines,
# restores, rotates the token, reads the audit, declares a second tenant in a file, and moves everything to PostgreSQL.
#
#   examples/admin.sh         plays it against a running server: ROLLBOOK_URL (default http://127.0.0.1:8080), with the operator's
#                             key in ROLLBOOK_KEY (`rollbook key create --quiet --scope admin:read --scope admin:write --scope admin:secrets`)
#   examples/admin.sh --self  starts a server of its own on a temporary SQLite file (ROLLBOOK_BIN, else target/debug/rollbook, else
#                             `rollbook` on PATH), and stops it again. With ROLLBOOK_TEST_POSTGRES, a server where databases may be
#                             made, it also moves to PostgreSQL and goes on there
#
# Needs bash, curl and jq. Stops at the first wrong answer.
set -euo pipefail

work=$(mktemp -d) server='' database='' checks=0 status='' what='' tenant=admin-example second=admin-example-2
leave() {
  [[ -z $server ]] || { kill "$server"; wait "$server"; } || true
  [[ -z $database ]] || psql "$ROLLBOOK_TEST_POSTGRES" -qc "DROP DATABASE $database WITH (FORCE)" || true
  rm -rf "$work"
}
trap leave EXIT

# --- saying what is so, and what is not --------------------------------------------------------------

stop() { # LINE...
  printf '%s\n' "$@" >&2
  [[ ! -s $work/server.log ]] || { echo '--- the server said:' && tail -n 20 "$work/server.log"; } >&2
  exit 1
}

ok() { checks=$((checks + 1)) && echo "ok  $1"; } # TITLE

wrong() { stop "WRONG  $1" "  expected  $2" "  did       $what" "  got       $3"; } # TITLE EXPECTED GOT

said() { jq --raw-output "$1" "$work/body"; } # EXPRESSION: of the last answer

expect() { # TITLE STATUS [CONDITION...]: the last answer has this status and meets each condition
  local title=$1 wanted=$2 condition
  shift 2
  [[ $status == "$wanted" ]] || wrong "$title" "status $wanted" "$status $(cat "$work/body")"
  for condition in "$@"; do
    jq --exit-status "$condition" "$work/body" >/dev/null 2>&1 || wrong "$title" "$condition" "$(cat "$work/body")"
  done
  ok "$title"
}

header() { tr -d '\r' <"$work/head" | sed -n "s/^$1: //Ip" | head -n 1; } # NAME: of the last answer

# --- who asks ----------------------------------------------------------------------------------------

ask() { # SECRET METHOD URL [BODY [HEADER...]]: the answer is in $status, $work/body and $work/head
  local secret=$1 method=$2 address=$3 body=${4-}
  local curl=(curl --silent --show-error --max-time 30 --request "$method" --dump-header "$work/head" --output "$work/body")
  shift $(($# < 4 ? $# : 4))
  what="$method $address $body $*"
  while [[ $# -gt 0 ]]; do curl+=(-H "$1") && shift; done
  [[ -z $body ]] || curl+=(--data-binary "$body")
  : >"$work/body"
  status=$("${curl[@]}" --config <(printf 'header = "Authorization: Bearer %s"\n' "$secret") --write-out '%{http_code}' "$address") ||
    stop "NO ANSWER  $what"
}

admin() { # METHOD PATH [BODY [HEADER...]]: the operator
  local method=$1 path=$2 body=${3-}
  shift $(($# < 3 ? $# : 3))
  ask "$key" "$method" "$url/admin/v1$path" "$body" 'Content-Type: application/json' "$@"
}

okta() { # METHOD PATH [BODY]: the identity provider, with whatever token it has by now
  ask "$token" "$1" "$url/scim/v2$2" "${3-}" 'Content-Type: application/scim+json' 'User-Agent: Okta SCIM Client 1.0.0'
}

person() { # NAME
  printf '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"%s@example.com","externalId":"key-%s",
    "displayName":"%s Example","active":true,"emails":[{"value":"%s@example.com","type":"work","primary":true}]}' "$1" "$1" "${1^}" "$1"
}

active() { # ID true|false
  okta PATCH "/Users/$1" '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace","value":{"active":'"$2"'}}]}'
}

# --- the server ----------------------------------------------------------------------------------------

wait_for_server() {
  local line
  for _ in {1..300}; do
    line=$(grep -om1 'listening on http://[0-9.]*:[0-9]*' "$work/server.log" 2>/dev/null) && break
    kill -0 "$server" 2>/dev/null || stop 'the server did not start'
    sleep 0.1
  done
  url=${line#listening on }
}

serve() { # DATABASE
  export ROLLBOOK_DATABASE_URL=$1
  ROLLBOOK_LISTEN=127.0.0.1:0 "$bin" serve >"$work/server.log" 2>&1 </dev/null &
  server=$!
  wait_for_server
}

if [[ ${1-} == --self ]]; then
  bin=${ROLLBOOK_BIN:-target/debug/rollbook}
  [[ -x $bin ]] || bin=rollbook
  export ROLLBOOK_MAIL_FOLDER=$work/mail ROLLBOOK_METRICS_LISTEN=off
  serve "sqlite://$work/rollbook.db"
  key=$("$bin" key create --quiet --name example --scope admin:read --scope admin:write --scope admin:secrets)
else
  bin=''
  url=${ROLLBOOK_URL:-http://127.0.0.1:8080}
  key=${ROLLBOOK_KEY:?the key of an operator is needed in ROLLBOOK_KEY}
fi

# --- the tenant ----------------------------------------------------------------------------------------

ask '' GET "$url/admin/v1/tenants"
expect 'without a key nothing is said' 401 '.type == "urn:rollbook:problem:unauthorized"'
ask '' GET "$url/admin/openapi.json"
expect 'the API describes itself' 200 '.openapi | startswith("3.1")' '.paths["/admin/v1/tenants"].post'

admin POST /tenants '{"name":"'$tenant'","provider":"okta","settings":{"organisation":"Example Org","quarantine_days":14}}' 'Idempotency-Key: first-tenant-1'
expect 'a tenant is made' 201 '.status == "active"' '.settings.quarantine_days == 14' '.settings.invite_days == 7'
admin POST /tenants '{"name":"'$tenant'","provider":"okta","settings":{"organisation":"Example Org","quarantine_days":14}}' 'Idempotency-Key: first-tenant-1'
expect 'sent twice with one key, it is made once' 201 ".name == \"$tenant\""
admin POST /tenants '{"name":"'$tenant'"}'
expect 'a name is taken once' 409 '.type == "urn:rollbook:problem:tenant-exists"'
admin PATCH "/tenants/$tenant" '{"settings":{"quarantine_days":1000}}'
expect 'a setting that makes no sense is named' 400 '.detail | contains("quarantine_days")'
admin GET "/tenants/$tenant"
expect 'a tenant shows what it holds' 200 '.users == 0' '.settings.quarantine_days == 14'
version=$(header etag)
admin PATCH "/tenants/$tenant" '{"settings":{"quarantine_days":30,"admin_emails":["it@example.com"]}}' "If-Match: $version"
expect 'settings are changed' 200 '.settings.quarantine_days == 30'
admin PATCH "/tenants/$tenant" '{"settings":{"quarantine_days":7}}' "If-Match: $version"
expect 'but not by somebody who has read them before' 412

# --- Okta ----------------------------------------------------------------------------------------------

admin POST "/tenants/$tenant/tokens" '{"name":"okta","expires_at":"2099-01-01T00:00:00Z"}'
expect 'Okta gets a token' 201 '.token | startswith("rbk_")' '.source == "default"'
token=$(said .token) first=$(said .id)
admin GET "/tenants/$tenant/tokens"
expect 'which is not shown again' 200 '[.items[] | has("token")] | any | not'

okta GET '/Users?filter=userName%20eq%20%22sam@example.com%22'
expect 'Okta asks for somebody' 200 '.totalResults == 0'
okta POST /Users "$(person sam)"
expect 'and pushes' 201 '.active'
sam=$(said .id)
okta POST /Users "$(person kim)"
expect 'and pushes' 201
okta POST /Groups '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Staff","members":[{"value":"'"$sam"'"}]}'
expect 'a group as well' 201

# --- the roll ------------------------------------------------------------------------------------------

admin GET "/tenants/$tenant/members?filter=userName%20eq%20%22sam@example.com%22"
expect 'members are found by filter' 200 '.items | length == 1' '.items[0].state == "uninvited"'
admin POST "/tenants/$tenant/members/$sam/invitation"
expect 'somebody is invited' 201 '.state == "invited"'
admin POST "/tenants/$tenant/jobs" '{"action":"invite","all":true,"dry_run":true}'
expect 'inviting the others would reach one' 200 '.count == 1'
admin POST "/tenants/$tenant/jobs" '{"action":"invite","all":true}'
expect 'the others are invited by a job' 202 '.id'
job=$(said .id)
for _ in {1..100}; do
  admin GET "/tenants/$tenant/jobs/$job"
  [[ $(said .ended_at) == null ]] || break
  sleep 0.2
done
expect 'which tells how far it is' 200 '.done == 1' '.failed == 0'

active "$sam" false
expect 'Okta deactivates' 200 '.active | not'
admin GET "/tenants/$tenant/members/$sam"
expect 'the quarantine begins' 200 '.state == "quarantined"' '.quarantine_until'
admin DELETE "/tenants/$tenant/members/$sam/suspension"
expect 'an admin restores' 200 '.state == "invited"' '.groups | length == 1'
admin GET "/tenants/$tenant/members/$sam/timeline"
expect 'and the history says who did what' 200 '[.items[].event] | index("invited") != null'

# --- a new token without a gap ---------------------------------------------------------------------------

admin POST "/tenants/$tenant/tokens/$first/rotation"
expect 'a second token is issued' 201 ".replaces == \"$first\"" '.token'
next=$(said .token)
okta GET "/Users/$sam"
expect 'the first one is still accepted' 200
token=$next
okta GET "/Users/$sam"
expect 'and the second one already' 200
admin PATCH "/tenants/$tenant/tokens/$first/rotation" '{"state":"complete"}'
expect 'the rotation is completed' 200 '.replaces == null'
admin GET "/tenants/$tenant/tokens/$first"
expect 'the first token is revoked' 200 '.state == "revoked"'

# --- what else an admin does -------------------------------------------------------------------------------

admin PATCH "/tenants/$tenant/sources/default" '{"state":"paused"}'
expect 'the source is paused' 200 '.state == "paused"'
sleep 1.2
okta GET "/Users/$sam"
expect 'Okta is told to come back later' 503
[[ $(header retry-after) -ge 1 ]] || wrong 'with Retry-After' 'a number of seconds' "$(cat "$work/head")"
ok 'with Retry-After'
admin PATCH "/tenants/$tenant/sources/default" '{"state":"active"}'
expect 'and goes on' 200 '.state == "active"'
sleep 1.2
okta GET "/Users/$sam"
expect 'nothing was lost' 200 '.active'

admin POST "/tenants/$tenant/keys" '{"name":"their admin","scopes":["admin:read"]}'
expect 'the customer gets a key of its own' 201 '.key | startswith("rba_")'
theirs=$(said .key)
ask "$theirs" GET "$url/admin/v1/tenants"
expect 'which sees one tenant' 200 "[.items[].name] == [\"$tenant\"]"
ask "$theirs" PATCH "$url/admin/v1/tenants/$tenant" '{}' 'Content-Type: application/json'
expect 'and changes nothing' 403

admin GET "/tenants/$tenant/audit?limit=500"
expect 'the audit has all of it' 200 '[.items[].event] | (index("token_issued") and index("rotation_completed") and index("invited")) != null'

printf '[[tenants]]\nname = "%s"\nprovider = "entra"\nlocations = ["Zurich"]\n[[tenants.sources]]\nname = "entra"\n' "$second" >"$work/tenants.toml"
ask "$key" PUT "$url/admin/v1/setup?dry_run=true" "$(cat "$work/tenants.toml")" 'Content-Type: application/toml'
expect 'a file declares a second tenant; the plan is shown' 200 '.applied | not' '.changes | length > 0'
ask "$key" PUT "$url/admin/v1/setup" "$(cat "$work/tenants.toml")" 'Content-Type: application/toml'
expect 'it is applied' 200 '.applied'
ask "$key" PUT "$url/admin/v1/setup" "$(cat "$work/tenants.toml")" 'Content-Type: application/toml'
expect 'and, a second time, nothing is left to do' 200 '.changes == []'
admin DELETE "/tenants/$second"
expect 'a tenant is not deleted in one step' 409 '.type == "urn:rollbook:problem:confirmation-needed"'
admin GET "/tenants/$second/deletion"
expect 'the first step shows what would be lost' 200 '.members == 0'
admin DELETE "/tenants/$second?confirmation=$(said .confirmation)"
expect 'the second one deletes' 200

# --- PostgreSQL --------------------------------------------------------------------------------------------

if [[ -n $bin ]]; then
  kill "$server" && wait "$server" || true
  server=''
  "$bin" verify >"$work/verify" 2>&1 || stop 'verify found a fault' "$(cat "$work/verify")"
  ok 'what is stored is sound'
  "$bin" backup "$work/backup.db" >"$work/backup" 2>&1 || stop 'no backup' "$(cat "$work/backup")"
  ok 'a backup is taken'
fi
if [[ -n $bin && -n ${ROLLBOOK_TEST_POSTGRES-} ]]; then
  database=rollbook_admin_example_$$
  psql "$ROLLBOOK_TEST_POSTGRES" -qc "CREATE DATABASE $database"
  target=${ROLLBOOK_TEST_POSTGRES%/*}/$database
  "$bin" copy --from "$ROLLBOOK_DATABASE_URL" --to "$target" >"$work/copy" 2>&1 || stop 'no copy' "$(cat "$work/copy")"
  ok 'everything is copied to PostgreSQL'
  serve "$target"
  "$bin" verify >"$work/verify" 2>&1 || stop 'verify found a fault' "$(cat "$work/verify")"
  ok 'and is sound there'
  okta GET "/Users/$sam"
  expect 'Okta goes on with the same token' 200 '.active'
  admin GET "/tenants/$tenant/members/$sam"
  expect 'the roll is as it was' 200 '.state == "invited"' '.groups | length == 1'
fi

echo "all $checks checks passed"
