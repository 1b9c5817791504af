#!/usr/bin/env bash
# The membership roll from push to anonymisation, with every step checked: pushed, invited, reminded, claimed, deactivated,
# restored, deleted, back again, terminated, anonymised.
#
#   examples/lifecycle.sh         plays it against a running server: ROLLBOOK_URL (default http://127.0.0.1:8080). It also calls
#                                 `rollbook`, so the server's settings must be in the environment: ROLLBOOK_DATABASE_URL,
#                                 ROLLBOOK_MAIL_FOLDER, and a fast clock by ROLLBOOK_CLOCK_SPEED and ROLLBOOK_CLOCK_START
#   examples/lifecycle.sh --self  starts a server of its own on a temporary SQLite file, on whose clock four hours pass in a
#                                 second (ROLLBOOK_BIN, else target/debug/rollbook, else `rollbook` on PATH), and stops it again
#
# Needs bash, curl, jq and openssl. Stops at the first wrong answer. Days here are days of the fast clock.
set -euo pipefail

work=$(mktemp -d) server='' checks=0 status='' what='' tenant=lifecycle
trap '[[ -z $server ]] || { kill "$server"; wait "$server"; } || true; rm -rf "$work"' EXIT

core=urn:ietf:params:scim:schemas:core:2.0
export OWN=urn:ietf:params:scim:schemas:extension:rollbook:2.0:User WORK=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User
words='def roll: .[env.OWN]; def members: [.members[]?.value]; def groups: [.groups[]?.value];'

# --- saying what is so, and what is not --------------------------------------------------------------

stop() { # LINE...: says what went wrong, with the end of the server's log if the server is ours, and gives up
  printf '%s\n' "$@" >&2
  [[ ! -s $work/server.log ]] || { echo '--- the server said:' && tail -n 20 "$work/server.log"; } >&2
  exit 1
}

ok() { checks=$((checks + 1)) && echo "ok  $1"; } # TITLE

wrong() { stop "WRONG  $1" "  expected  $2" "  did       $what" "  got       $3"; } # TITLE EXPECTED GOT

is() { # TITLE EXPECTED GOT
  [[ $2 == "$3" ]] || wrong "$1" "$2" "$3"
  ok "$1"
}

until_so() { # DAYS TITLE COMMAND...: asks again and again until the command succeeds, for so many days and a few seconds more
  local end=$((SECONDS + $1 * 86400 / ROLLBOOK_CLOCK_SPEED + 8)) title=$2
  shift 2
  until "$@"; do
    ((SECONDS < end)) || wrong "$title" "$* in time" "$(tail -c 2000 "$work/body")"
    sleep 0.2
  done
  ok "$title"
}

# --- the identity provider -----------------------------------------------------------------------

scim() { # METHOD PATH [BODY]: one request; the answer is in $status and $work/body
  local curl=(curl --silent --show-error --max-time 30 --request "$1" -H 'Content-Type: application/scim+json')
  what="$1 $2 ${3-}"
  [[ -z ${3-} ]] || curl+=(--data-binary "$3")
  : >"$work/body"
  status=$("${curl[@]}" --config <(printf 'header = "Authorization: Bearer %s"\n' "$token") --output "$work/body" \
    --write-out '%{http_code}' "$url/scim/v2$2") || stop "NO ANSWER  $what" "  from $url"
}

said() { jq --raw-output "$words $1" "$work/body"; }       # EXPRESSION: of the last answer
so() { jq --exit-status "$words $1" "$work/body" >"$work/jq" 2>&1; } # CONDITION

expect() { # TITLE STATUS [CONDITION...]: the last answer has this status and meets each condition
  local title=$1 wanted=$2 condition
  shift 2
  [[ $status == "$wanted" ]] || wrong "$title" "status $wanted" "$status $(cat "$work/body")"
  for condition in "$@"; do
    so "$condition" || wrong "$title" "$condition" "$(cat "$work/body")"
  done
  ok "$title"
}

person() { # NAME [MORE]: what an identity provider sends of somebody
  printf '{"schemas":["%s:User"],"userName":"%s@example.com","externalId":"key-%s","displayName":"%s Example"%s,
    "emails":[{"value":"%s@example.com","type":"work","primary":true}]}' "$core" "$1" "$1" "${1^}" "${2:+,$2}" "$1"
}

operate() { # ID OPERATION
  scim PATCH "/Users/$1" '{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":['"$2"']}'
}

active() { operate "$1" '{"op":"replace","path":"active","value":'"$2"'}'; } # ID true|false

user_so() { scim GET "/Users/$1" && [[ $status == 200 ]] && so "$2"; } # ID CONDITION

gone() { scim GET "/Users/$1" && [[ $status == 404 ]]; } # ID

# --- the admin -----------------------------------------------------------------------------------

rollbook() { # COMMAND...: its output is in $work/body; whether it succeeded is in $status
  local code=0
  what="rollbook $*"
  "$bin" "$@" >"$work/body" 2>&1 || code=$?
  status=$code
}

admin() { # TITLE COMMAND...: a command that must succeed
  local title=$1
  shift
  rollbook "$@"
  [[ $status == 0 ]] || wrong "$title" 'exit code 0' "$status $(cat "$work/body")"
  ok "$title"
}

refused() { # TITLE WORD COMMAND...: one that must fail, with a message that has this word
  local title=$1 word=$2
  shift 2
  rollbook "$@"
  [[ $status != 0 ]] && grep -qF -e "$word" "$work/body" || wrong "$title" "an error with \"$word\"" "$(cat "$work/body")"
  ok "$title"
}

happened() { # PERSON EVENT: whether the history has it
  rollbook member timeline "$tenant" "$1" --json
  so "map(.event) | index(\"$2\") != null"
}

# --- the people: mails and browsers --------------------------------------------------------------

mails() { # WORDS...: the files of the mails in whose head, To and Subject, all these words stand; oldest first
  local file word head
  for file in "$mail"/*.eml; do
    [[ -e $file ]] || continue
    head=$(sed '/^\r*$/q' "$file")
    for word in "$@"; do
      [[ $head == *"$word"* ]] || continue 2
    done
    echo "$file"
  done
}

many() { mails "$@" | awk 'END { print NR }'; } # WORDS...: how many these are

got_mail() { [[ $(many "${@:2}") -ge $1 ]]; } # NUMBER WORDS...

link_in() { sed -n 's|^\(http[^ ]*/claim/[A-Za-z0-9_-]\{43\}\)\r*$|\1|p' "$1" | sed -n 1p; } # FILE: the link in the plain text

visit() { # METHOD URL: a look at a page, by whoever
  local only=(--request GET)
  what="$1 $2"
  [[ $1 != HEAD ]] || only=(--head)
  status=$(curl --silent --max-time 30 "${only[@]}" --output "$work/body" --write-out '%{http_code}' "$2")
}

open_page() { # URL: as a browser, which keeps the cookie
  what="GET $1"
  rm -f "$work/jar"
  status=$(curl --silent --max-time 30 --cookie-jar "$work/jar" --output "$work/body" --write-out '%{http_code}' "$1")
}

press() { # URL FIELD...: sends the form of the page that is open; where it leads is in $location
  local fields=() field key
  key=$(sed -n 's/.*name="form_key" value="\([^"]*\)".*/\1/p' "$work/body")
  for field in "form_key=$key" "${@:2}"; do fields+=(--data-urlencode "$field"); done
  what="POST $1"
  location=$(curl --silent --max-time 30 --cookie "$work/jar" --output "$work/body" --write-out '%{http_code} %{redirect_url}' "${fields[@]}" "$1")
  status=${location%% *} location=${location#* }
}

plain() { # TEXT: undoes base64url
  local text=${1//-/+}
  text=${text//_//}
  while ((${#text} % 4)); do text+='='; done
  base64 -d <<<"$text"
}

signed_by_the_server() { # TOKEN: whether the key of its header, as the server publishes it, has signed it
  local head=${1%%.*} signature=${1##*.} kid
  kid=$(plain "$head" | jq --raw-output .kid)
  curl --silent --max-time 30 "$url/.well-known/jwks.json" >"$work/body"
  x=$(jq --raw-output --arg kid "$kid" '.keys[] | select(.kid == $kid and .kty == "OKP" and .crv == "Ed25519") | .x' "$work/body")
  [[ -n $x ]] || return 1
  # RFC 8410: what stands before the 32 bytes of an Ed25519 key.
  { printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00' && plain "$x"; } >"$work/key"
  plain "$signature" >"$work/signature"
  printf %s "${1%.*}" >"$work/text"
  openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$work/key" -sigfile "$work/signature" -in "$work/text" >"$work/openssl" 2>&1
}

# --- the days ------------------------------------------------------------------------------------

push() {
  local name department
  for name in first second third fourth fifth sixth seventh eighth ninth tenth canary keeper; do
    department=Sales
    case $name in first | second | canary | keeper) department=Tours ;; esac
    scim POST /Users "$(person "$name" '"'"$WORK"'":{"department":"'"$department"'"}')"
    [[ $status == 201 ]] && so 'roll.state == "uninvited" and roll.invited == false and roll.claimed == false' \
      || wrong "push $name" '201, uninvited' "$status $(cat "$work/body")"
    declare -g "$name=$(said .id)"
  done
  ok 'twelve people are pushed: uninvited'
  scim POST /Groups '{"schemas":["'"$core"':Group"],"displayName":"Everybody","members":[{"value":"'"$first"'"},{"value":"'"$second"'"}]}'
  expect 'a group is prepared for people who know nothing of it' 201 'members | length == 2'
  group=$(said .id)
  refused 'single sign-on does not let somebody in who is uninvited' 'not let in' member sso "$tenant" first@example.com
  scim GET "/Users?filter=$OWN:state%20eq%20%22uninvited%22&count=1"
  expect 'the identity provider sees who is uninvited' 200 '.totalResults == 12'
}

invite_one() {
  admin 'one person is invited' member invite "$tenant" first@example.com
  until_so 1 'the invitation arrives' got_mail 1 'To: "First Example" <first@example.com>'
  is 'and it is the only mail: nobody else has heard anything' 1 "$(many)"
  link=$(link_in "$(mails first@example.com)")
  [[ -n $link ]] || wrong 'the mail has a link' 'a line with a link' "$(cat "$(mails first@example.com)")"
  for method in HEAD GET HEAD GET; do
    visit "$method" "$link"
    [[ $status == 200 ]] || wrong 'a scanner looks at the link' 200 "$status"
  done
  what="POST $link"
  status=$(curl --silent --output "$work/body" --write-out '%{http_code}' --data form_key=guess "$link")
  is 'a form that was not on the page is refused' 403 "$status"
  scim GET "/Users/$first"
  expect 'looking changes nothing: still invited' 200 'roll.state == "invited" and roll.claimed == false and (roll | has("inviteDate"))'
}

claim() {
  open_page "$link"
  grep -q 'First Example' "$work/body" || wrong 'the page says whose account it is' 'First Example' "$(cat "$work/body")"
  press "$link"
  is 'pressing the button claims the account' '303 https://app.example.com/start' "$status ${location%%\?*}"
  jwt=${location#*rollbook_token=}
  signed_by_the_server "$jwt" || wrong 'the token is signed' 'a signature by a key of jwks.json' "$(cat "$work/body") $jwt"
  ok 'the token for the application is signed by a key in /.well-known/jwks.json'
  plain "${jwt%%.*}" >"$work/body"
  so '.alg == "EdDSA" and .typ == "rollbook-claim+jwt"' || wrong 'the head of the token' 'EdDSA, rollbook-claim+jwt' "$(cat "$work/body")"
  payload=${jwt#*.}
  plain "${payload%%.*}" >"$work/body"
  export url tenant first
  so '.iss == env.url and .aud == "https://app.example.com" and .sub == env.first and .tenant == env.tenant
    and .user_name == "first@example.com" and .email == "first@example.com" and .exp - .iat == 120 and (.jti | length > 0)' \
    || wrong 'the claims of the token' 'issuer, audience, subject, two minutes' "$(cat "$work/body")"
  ok 'it names the server, the application and the person, for two minutes'
  scim GET "/Users/$first"
  expect 'claimed, and in the group' 200 'roll.state == "claimed" and roll.claimed and groups == ["'"$group"'"]'
  visit GET "$link"
  is 'the link works once' 410 "$status"
}

codes() {
  local code
  scim POST /Users '{"schemas":["'"$core"':User"],"userName":"kim","displayName":"Kim Example","'"$WORK"'":{"employeeNumber":"E-7"}}'
  expect 'somebody without an address is invited at once, by a code' 201 'roll.state == "invited"'
  kim=$(said .id)
  admin 'the admin reads the code' code show "$tenant" kim --json
  code=$(said .code)
  scim GET "/Users/$kim?attributes=$OWN:accessCode"
  expect 'the identity provider does not see it' 200 'roll.accessCode == null'
  token=$trusted scim GET "/Users/$kim?attributes=$OWN:accessCode"
  expect 'a token with the scope scim:secrets does' 200 'roll.accessCode == "'"$code"'"'
  open_page "$url/claim"
  press "$url/claim" "code=ABCD-EFGH-JKMN-PQRS"
  is 'a code that was never issued opens nothing' 404 "$status"
  open_page "$url/claim"
  press "$url/claim" "code=$(tr 'A-Z-' 'a-z ' <<<"$code")"
  is 'the code opens the account, however it is typed' 200 "$status"
  press "$url/claim" "code=$code" step=claim
  is 'and claims it' 303 "$status"
  scim GET "/Users/$kim"
  expect 'claimed' 200 'roll.state == "claimed"'
}

# The quarantine of these two goes on while the rest of the days is played.
leave_for_good() {
  scim PUT "/Users/$second" "$(person second '"'"$WORK"'":{"manager":{"value":"'"$canary"'"}}')"
  expect 'somebody reports to the one who will leave' 200 '.[env.WORK].manager.displayName == "Canary Example"'
  admin 'a legal hold is set' member hold "$tenant" keeper@example.com --reason 'a lawsuit'
  active "$canary" false
  expect 'the leaver is quarantined' 200 '.active == false and roll.state == "quarantined" and (roll | has("quarantineUntil"))'
  active "$keeper" false
  expect 'and so is the one under the legal hold' 200 'roll.state == "quarantined"'
}

invite_many() {
  local filter="$WORK:department eq \"Sales\""
  admin 'whom would a filter reach?' member invite "$tenant" --filter "$filter" --count --json
  is 'eight people' 8 "$(said .count)"
  admin 'they are invited' member invite "$tenant" --filter "$filter" --yes --json
  is 'all eight' '8 0' "$(said '"\(.done) \(.failed)"')"
  until_so 2 'each gets a mail' got_mail 9 'Subject: Example Org invites you'
  admin 'a list of all who are still uninvited' member invite "$tenant" --all --count --json
  is 'has one' 1 "$(said .count)"
}

remind() {
  local file
  until_so 2 'a reminder arrives after a day' got_mail 1 third@example.com 'Subject: Reminder'
  file=$(mails third@example.com | sed -n 1p)
  is 'with the same link' "$(link_in "$file")" "$(link_in "$(mails third@example.com 'Subject: Reminder')")"
  is 'who has claimed is not reminded' 0 "$(many first@example.com 'Subject: Reminder')"
  scim GET "/Users/$third?attributes=$OWN:claimLink"
  expect 'the identity provider does not see the link' 200 'roll.claimLink == null'
  token=$trusted scim GET "/Users/$third?attributes=$OWN:claimLink"
  expect 'a token with the scope scim:secrets does' 200 'roll.claimLink == "'"$(link_in "$file")"'"'
  operate "$third" '{"op":"replace","path":"'"$OWN"':invited","value":false}'
  expect 'the invitation is taken back' 200 'roll.state == "uninvited" and roll.invited == false'
  visit GET "$(link_in "$file")"
  is 'and its link is as if it never was' 404 "$status"
  file=$(mails fourth@example.com | sed -n 1p)
  admin 'another one gets a new link' member resend "$tenant" fourth@example.com
  visit GET "$(link_in "$file")"
  is 'the old one is dead' 410 "$status"
}

come_and_go() {
  local old=$first
  active "$first" false
  expect 'deactivated' 200 '.active == false and roll.state == "quarantined"' 'groups == ["'"$group"'"]'
  scim POST /Users "$(person first '"title":"Guide"')"
  expect 'pushed again: the same id, the state before, the group' 200 '.id == "'"$first"'" and .active and .title == "Guide"' \
    'roll.state == "claimed" and groups == ["'"$group"'"]'
  admin 'an admin suspends somebody' member suspend "$tenant" fifth@example.com
  active "$fifth" true
  expect 'which the identity provider cannot undo' 409 '.detail | startswith("held: ")'
  admin 'the admin can' member restore "$tenant" fifth@example.com
  scim GET "/Users/$fifth"
  expect 'the state before is back' 200 '.active and roll.state == "invited"'
  scim DELETE "/Users/$first"
  is 'deleted' 204 "$status"
  scim GET "/Users/$first"
  expect 'not found any more' 404
  scim GET "/Groups/$group"
  expect 'nor in the group' 200 'members == ["'"$second"'"]'
  scim POST /Users "$(person first)"
  expect 'pushed again: a new id, and the same person, claimed and in the group' 201 '.id != "'"$first"'" and roll.state == "claimed"' \
    'groups == ["'"$group"'"]'
  first=$(said .id)
  happened "$first" claimed_by_link || wrong 'the history goes on' claimed_by_link "$(cat "$work/body")"
  ok 'with one history'
  scim GET "/Users/$old"
  expect 'the old id is used for nobody' 404
}

terminate() {
  local date='{"op":"replace","path":"'"$OWN"':terminationDate","value":' today
  operate "$sixth" '{"op":"replace","path":"title","value":"Guide"}'
  today=$(said '.meta.lastModified[:10]')
  operate "$sixth" "$date\"$today\"}"
  if so '.active'; then # else the day has ended on the fast clock while we looked at it
    ok 'on the last day, access stays'
    until_so 2 'and ends with it' user_so "$sixth" '.active == false and roll.state == "quarantined"'
  fi
  active "$sixth" true
  expect 'the date holds, whatever active says' 409 '.detail | contains("termination date")'
  operate "$sixth" "$date\"2099-12-31\"}"
  expect 'a later date gives access back' 200 '.active and roll.state == "invited"'
}

last_admin() {
  operate "$first" '{"op":"add","path":"roles","value":[{"value":"admin"}]}'
  expect 'somebody becomes an admin' 200
  active "$first" false
  expect 'the only one cannot be deactivated' 409 '.detail | startswith("last_admin: ")'
}

be_forgotten() {
  until_so 3 'two days ahead the admins are told' got_mail 1 admin@example.com anonymised
  grep -q 'Canary Example' "$(mails admin@example.com anonymised | sed -n 1p)" || wrong 'the digest' 'Canary Example' "$(cat "$mail"/*.eml)"
  until_so 4 'after three days of quarantine the leaver is anonymised' gone "$canary"
  until_so 1 'the history says so' happened "$canary" quarantine_elapsed
  is 'in a last line' '"deprovisioned"' "$(jq 'last.to' "$work/body")"
  ! grep -qi canary "$work/body" || wrong 'the history names nobody' 'no name' "$(cat "$work/body")"
  ok 'which names nobody'
  rollbook member show "$tenant" "$canary"
  cp "$work/body" "$work/shown"
  rollbook member show "$tenant" "$canary" --json
  so '.name == "Former member" and .state == "deprovisioned" and .mail == null' && ! grep -qi canary "$work/body" "$work/shown" \
    || wrong 'nor does the member' 'Former member' "$(cat "$work/shown" "$work/body")"
  ok 'nor does what is left of the member'
  scim GET "/Users/$second"
  expect 'nobody reports to the leaver any more' 200 '.[env.WORK].manager == null'
  scim GET "/Users/$keeper"
  expect 'the legal hold still holds' 200 'roll.state == "quarantined"'
  [[ -z $server ]] || until_so 1 'the name is in no file of the database' not_in_the_database canary
  scim POST /Users "$(person canary)"
  expect 'the name is free: somebody new, uninvited' 201 '.id != "'"$canary"'" and roll.state == "uninvited"'
  refused 'an account is not erased by mistake' '--yes' member erase "$tenant" kim
  admin 'somebody asks for erasure' member erase "$tenant" kim --yes
  scim GET "/Users/$kim"
  expect 'and is anonymised at once' 404
}

not_in_the_database() { ! grep -qia "$1" "$work"/rollbook.db*; } # WORD

# --- the server ----------------------------------------------------------------------------------

start_server() {
  local name
  for name in ${!ROLLBOOK_@}; do unset "$name"; done # the caller's settings must not reach it
  export ROLLBOOK_DATABASE_URL="sqlite://$work/rollbook.db" ROLLBOOK_MAIL_FOLDER=$work/mail
  export ROLLBOOK_CLOCK_SPEED=14400 ROLLBOOK_CLOCK_START=$(date +%s)
  : >"$work/server.log"
  "$bin" serve --listen 127.0.0.1:0 >>"$work/server.log" 2>&1 &
  server=$!
  for _ in {1..200}; do
    ROLLBOOK_URL=$(sed -n 's|^listening on \(http://127\.0\.0\.1:[0-9]*\)$|\1|p' "$work/server.log" | sed -n 1p)
    if [[ -n $ROLLBOOK_URL ]] || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
  done
  [[ -n $ROLLBOOK_URL ]] || stop 'the server did not start'
}

stop_server() {
  local code=0
  what='kill -TERM'
  kill -TERM "$server" && wait "$server" || code=$?
  server=
  is 'the server stops by SIGTERM' 0 "$code"
}

bin=${ROLLBOOK_BIN:-target/debug/rollbook}
[[ -x $bin ]] || bin=$(type -P "${ROLLBOOK_BIN:-rollbook}") || stop 'no rollbook: build it, or set ROLLBOOK_BIN'
case "$*" in
  '') tenant=lifecycle-$(date +%s) ;;
  --self) start_server ;;
  *) stop 'usage: examples/lifecycle.sh [--self]' ;;
esac
url=${ROLLBOOK_URL:-http://127.0.0.1:8080} mail=${ROLLBOOK_MAIL_FOLDER:-mail}
((${ROLLBOOK_CLOCK_SPEED:-1} >= 3600)) || stop 'the clock is too slow: ROLLBOOK_CLOCK_SPEED must be 3600 or more, here and for the server'
[[ -n $server ]] || [[ -z $(ls -A "$mail" 2>/dev/null) ]] || stop "the folder for mail, $mail, must be empty"

admin 'a tenant is made' tenant create "$tenant"
admin 'and set' tenant set "$tenant" quarantine_days=3 remind_days=1 emailless=codes application_url=https://app.example.com/start \
  admin_emails=admin@example.com organisation='Example Org'
"$bin" token issue "$tenant" --quiet >"$work/token" || stop 'token issue failed'
"$bin" token issue "$tenant" --quiet --scope scim:read --scope scim:secrets >"$work/trusted" || stop 'token issue failed'
token=$(cat "$work/token") trusted=$(cat "$work/trusted")

push
invite_one
claim
codes
leave_for_good
invite_many
remind
come_and_go
terminate
last_admin
be_forgotten
[[ -z $server ]] || stop_server
echo "all $checks checks passed"
