#!/usr/bin/env bash
# A joiner-mover-leaver day the way Okta, Entra ID and OneLogin really send it, with every answer checked.
#
#   examples/provision.sh         plays it against a running server: ROLLBOOK_URL (default http://127.0.0.1:8080/scim/v2) and
#                                 ROLLBOOK_OKTA_TOKEN, ROLLBOOK_ENTRA_TOKEN, ROLLBOOK_ONELOGIN_TOKEN, each of its own tenant, made
#                                 with `rollbook tenant create NAME --idp okta|entra|onelogin` and `rollbook token issue NAME`
#   examples/provision.sh --self  starts a server of its own on a temporary SQLite file (ROLLBOOK_BIN, else target/debug/rollbook,
#                                 else `rollbook` on PATH), makes the tenants, plays the day and stops the server again
#
# Needs bash, curl and jq. Stops at the first wrong answer. What the day creates is deleted at its end.
# shellcheck disable=SC2016 # "$ref" in a body is a name of JSON
set -euo pipefail

work=$(mktemp -d) server='' checks=0
trap '[[ -z $server ]] || { kill "$server"; wait "$server"; } || true; rm -rf "$work"' EXIT

# <NAME> in a path or body below stands for one of these.
names='U G E R P nobody mark joiner colleague joiner_id colleague_id group'
export U=urn:ietf:params:scim:schemas:core:2.0:User G=urn:ietf:params:scim:schemas:core:2.0:Group
export E=urn:ietf:params:scim:schemas:extension:enterprise:2.0:User R=urn:ietf:params:scim:schemas:extension:rollbook:2.0:User
export P=urn:ietf:params:scim:api:messages:2.0:PatchOp nobody=7171c5e6-3a52-4b7e-9c1d-5f0e6d2a8b94

# Words for the jq conditions below, which know the same names: env.joiner_id.
words='def enterprise: .[env.E]; def rollbook: .[env.R]; def members: [.members[]?.value] | sort; def groups: [.groups[]?.value];
  def both: [env.joiner_id, env.colleague_id] | sort;
  def none: .totalResults == 0 and .Resources == []; def one: .totalResults == 1 and .Resources[0].id == env.joiner_id;
  def a_list_with_counts_or_a_resource_without_password: if has("Resources") | not then .id != null and (has("password") | not) else
    .schemas == ["urn:ietf:params:scim:api:messages:2.0:ListResponse"] and .itemsPerPage == (.Resources | length)
    and ([.totalResults, .startIndex, .itemsPerPage] | all(type == "number")) end;
  def a_scim_error(s): .schemas == ["urn:ietf:params:scim:api:messages:2.0:Error"] and .status == s and (.detail | length > 0);'

stop() { # LINE...: says what went wrong, with the end of the server's log if the server is ours, and gives up
  printf '%s\n' "$@" >&2
  [[ ! -s $work/server.log ]] || { echo '--- the server said:' && tail -n 20 "$work/server.log"; } >&2
  exit 1
}

send() { # METHOD PATH [BODY]: one request with the headers of the provider
  local path=$2 body=${3-} name curl=(curl --silent --show-error --globoff --max-time 60 --request "$1" "${headers[@]}")
  for name in $names; do
    path=${path//<$name>/${!name-}} body=${body//<$name>/${!name-}}
  done
  request="$1 $path $body"
  [[ -z $body ]] || curl+=(--data-binary "$body")
  : >"$work/body"
  answer=$("${curl[@]}" --config <(printf 'header = "Authorization: %s"\n' "$authorization") --output "$work/body" \
    --write-out '%{http_code} %{content_type}' "$url$path") || stop "NO ANSWER  $idp  $request" "  from $url"
}

patch() { # PATH OPERATIONS
  send PATCH "$1" '{"schemas":["<P>"],"Operations":['"$2"']}'
}

expect() { # STATUS TITLE [CONDITION...]: the last answer has this status, the form SCIM asks for, and meets each condition
  local status=$1 title=$2 condition reason=
  shift 2
  case $status in
    20[01]) set -- a_list_with_counts_or_a_resource_without_password "$@" ;;
    4*) set -- "a_scim_error(\"$status\")" "$@" ;;
  esac
  if [[ ${answer%% *} != "$status" ]]; then
    reason="status $status"
  elif [[ $status == 204 ]]; then
    [[ ! -s $work/body ]] || reason='no body'
  elif [[ $answer != *' application/scim+json'* ]]; then
    reason='Content-Type application/scim+json'
  else
    for condition in "$@"; do
      jq --exit-status "$words $condition" "$work/body" >"$work/jq" 2>&1 || { reason=$condition && break; }
    done
  fi
  [[ -z $reason ]] || stop "WRONG  $idp  $title" "  expected  $reason" "  sent      $request" "  answered  $answer" "$(cat "$work/body")"
  checks=$((checks + 1))
  echo "ok  $idp  $title  $status"
}

keep() { export "$1=$(jq --raw-output .id "$work/body")"; } # NAME: remembers the id in the last answer

tidy() { # PATH...: deletes what the day made
  local path
  for path in "$@"; do
    send DELETE "$path"
    expect 204 "tidy up ${path%/*}"
  done
}

okta_day() {
  idp=okta
  headers=(--compressed -H 'Accept-Encoding: gzip,deflate' -H 'User-Agent: Okta SCIM Client 1.0.0' -H 'Accept: application/scim+json'
    -H 'Accept-Charset: utf-8' -H 'Content-Type: application/scim+json; charset=utf-8')
  local lookup="/Users?filter=userName%20eq%20%22${joiner/@/%40}%22&startIndex=1&count=100"
  send GET '/Users?startIndex=1&count=2'
  expect 200 'test the connection' '.startIndex == 1'
  send GET '/Groups?startIndex=1&count=100'
  expect 200 'test the connection, groups'
  authorization=non-token send GET '/Users?startIndex=1&count=2'
  expect 401 'wrong token, sent without a scheme'
  local body='{"schemas":["<U>"],"userName":"<joiner>","name":{"givenName":"Jo","familyName":"Iner"},
    "emails":[{"primary":true,"value":"<joiner>","type":"work"}],"displayName":"Jo Iner","locale":"en-US",
    "externalId":"00ujl29u0le5T6Aj10h7","groups":[],"password":"1mz050nq","active":true}'
  send GET "$lookup"
  expect 200 'look up the joiner: not there' none
  send POST /Users "$body"
  expect 201 "create user $joiner" '.userName == env.joiner and .emails[0].value == env.joiner' '.active == true' \
    '.name.givenName == "Jo" and .name.familyName == "Iner"' '.externalId == "00ujl29u0le5T6Aj10h7"' '.meta.resourceType == "User"'
  keep joiner_id
  send POST /Users "$body"
  expect 409 'the same again, as after a timeout' '.scimType == "uniqueness"'
  send GET '/Users?filter=userName%20eq%20%22JOINER<mark>%40EXAMPLE.COM%22&startIndex=1&count=100'
  expect 200 'look up the joiner in capitals: found' one
  send POST /Users '{"schemas":["<U>","<E>","<R>"],"userName":"<colleague>","name":{"givenName":"Col","familyName":"League"},
    "emails":[{"primary":true,"value":"<colleague>","type":"work"}],"password":"9xk2","active":true,
    "<E>":{"employeeNumber":701984,"department":"Tours"},"<R>":{"hireDate":"2026-03-02","managerEmail":"<joiner>"}}'
  expect 201 "create user $colleague" 'enterprise.employeeNumber == "701984"' 'rollbook.hireDate | startswith("2026-03-02")'
  keep colleague_id
  send POST /Groups '{"schemas":["<G>"],"displayName":"Tours<mark>","members":[]}'
  expect 201 'push the group Tours, empty' 'members == []'
  keep group
  patch '/Groups/<group>' '{"op":"add","path":"members","value":[{"value":"<joiner_id>","display":"<joiner>"},
    {"value":"<colleague_id>","display":"<colleague>"},{"value":"<nobody>","display":"gone@example.com"}]}'
  expect 200 'add two members, and one that does not exist' 'members == both'
  patch '/Groups/<group>' '{"op":"replace","value":{"id":"<group>","displayName":"City Tours<mark>"}}'
  expect 200 'rename the group, with its id in the value' '.displayName | startswith("City")' 'members == both'
  patch '/Groups/<group>' '{"op":"remove","path":"members[value eq \"<colleague_id>\"]"},
    {"op":"add","path":"members","value":[{"value":"<joiner_id>","display":"<joiner>"}]}'
  expect 200 'remove one member, add one already there' 'members == [env.joiner_id]'
  send GET '/Users/<joiner_id>'
  expect 200 'read the mover' 'groups == [env.group]'
  send PUT '/Users/<joiner_id>' '{"schemas":["<U>","<E>"],"id":"<joiner_id>","userName":"<joiner>","displayName":"Jo Mover",
    "name":{"givenName":"Jo","middleName":"","familyName":"Mover"},"title":"Lead","externalId":"00ujl29u0le5T6Aj10h7","active":true,
    "emails":[{"primary":true,"value":"<joiner>","type":"work","display":"<joiner>"}],"groups":[],"meta":{"resourceType":"User"},
    "<E>":{"department":"Tours"}}'
  expect 200 'move: the whole user by PUT' '.id == env.joiner_id and .name.familyName == "Mover" and .title == "Lead"' \
    'enterprise.department == "Tours"' 'groups == [env.group]'
  patch '/Users/<joiner_id>' '{"op":"replace","value":{"active":false}}'
  expect 200 'deactivate the leaver, without a path' '.active == false' '.schemas | index(env.U)'
  send GET '/Groups/<group>'
  expect 200 'the group keeps the leaver' 'members == [env.joiner_id]'
  send GET "$lookup"
  expect 200 'look up the leaver: found, inactive' 'one and .Resources[0].active == false'
  patch '/Users/<joiner_id>' '{"op":"replace","value":{"active":true}}'
  expect 200 'reactivate' '.active == true and groups == [env.group]'
  send DELETE '/Groups/<group>'
  expect 204 'unlink and delete the group'
  tidy '/Users/<joiner_id>' '/Users/<colleague_id>'
}

entra_day() {
  idp=entra
  headers=(-H 'User-Agent:' -H 'ADSCIMVersion: 6.0' -H 'Content-Type: application/scim+json; charset=utf-8')
  send GET '/Users?filter=userName+eq+%22<nobody>%22'
  expect 200 'test the connection' none
  send GET '/Groups?excludedAttributes=members&filter=displayName+eq+%22<nobody>%22'
  expect 200 'test the connection, groups' none
  authorization='Bearer wrong' send GET '/Users?filter=userName+eq+%22<nobody>%22'
  expect 401 'wrong token'
  local body='{"schemas":["<U>","urn:ietf:params:scim:schemas:extension:enterprise:2.0User"],"externalId":"joiner","active":true,
    "userName":"<joiner>","name":{"familyName":"Iner","givenName":"Jo"},"displayName":"Jo Iner","meta":{"resourceType":"User"},
    "addresses":null,"emails":null,"phoneNumbers":null,"preferredLanguage":null,"title":null,"department":null,"manager":null}'
  send POST /Users "$body"
  expect 201 "create user $joiner, with nulls" '.userName == env.joiner and .externalId == "joiner"' '.title == null and .emails == null'
  keep joiner_id
  send POST /Users '{"schemas":["<U>","<E>"],"externalId":"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef","userName":"<colleague>","active":"True",
    "emails":[{"primary":true,"type":"work","value":"<colleague>"}],"meta":{"resourceType":"User"},
    "name":{"formatted":"Col League","familyName":"League","givenName":"Col"},"roles":[]}'
  expect 201 "create user $colleague, active as text" '.active == true'
  keep colleague_id
  send GET '/Users?aadOptscim062020&filter=userName+eq+%22<joiner>%22'
  expect 200 'look up by userName' one
  patch '/Users/<joiner_id>' '{"op":"Replace","path":"displayName","value":"Jo Mover"},{"op":"Replace","path":"name.familyName","value":"Mover"},
    {"op":"Add","path":"title","value":"Lead"},{"op":"Replace","path":"<E>:employeeNumber","value":"271"}'
  expect 200 'move, operations in capitals' '.displayName == "Jo Mover" and .name.familyName == "Mover" and .name.givenName == "Jo"' \
    '.title == "Lead" and enterprise.employeeNumber == "271"'
  patch '/Users/<joiner_id>' '{"op":"replace","value":{"displayName":"Joan Mover","name.givenName":"Joan","<E>:department":"Tours"}}'
  expect 200 'move, paths as keys' '.displayName == "Joan Mover" and .name.givenName == "Joan" and .name.familyName == "Mover"' \
    '(has("name.givenName") | not) and enterprise.department == "Tours"'
  patch '/Users/<joiner_id>' '{"op":"Add","path":"emails[type eq \"work\"].value","value":"<joiner>"}'
  expect 200 'the first work e-mail' '.emails | length == 1 and .[0].type == "work" and .[0].value == env.joiner'
  send GET '/Users?filter=emails%5Btype+eq+%22work%22%5D.value+eq+%22<joiner>%22'
  expect 200 'look up by work e-mail' one
  patch '/Users/<joiner_id>' '{"op":"Add","path":"<E>:manager","value":"<colleague_id>"}'
  expect 200 'a manager, as text' 'enterprise.manager.value == env.colleague_id'
  send GET '/Users?filter=id+eq+%22<joiner_id>%22+and+manager+eq+%22<colleague_id>%22&attributes=id'
  expect 200 'ask whether that is the manager' one
  patch '/Users/<joiner_id>' '{"op":"Add","path":"<R>:hireDate","value":"2026-03-02"}'
  expect 200 'a hire date' 'rollbook.hireDate | startswith("2026-03-02")'
  send POST /Groups '{"schemas":["<G>","http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
    "externalId":"8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159","displayName":"Tours<mark>","meta":{"resourceType":"Group"}}'
  expect 201 'create the group Tours, with a foreign schema' '.schemas == [env.G]'
  keep group
  patch '/Groups/<group>' '{"op":"Add","path":"members","value":[{"$ref":null,"value":"<joiner_id>"},{"$ref":null,"value":"<colleague_id>"}]}'
  expect 204 'add two members'
  send GET '/Groups?excludedAttributes=members&filter=displayName+eq+%22Tours<mark>%22'
  expect 200 'look up the group, without members' '.totalResults == 1 and .Resources[0].id == env.group' '.Resources[0] | has("members") | not'
  patch '/Groups/<group>' '{"op":"Remove","path":"members","value":[{"$ref":null,"value":"<colleague_id>"}]}'
  expect 204 'remove one member by a list'
  send GET '/Groups/<group>'
  expect 200 'only that one has left' 'members == [env.joiner_id]'
  patch '/Groups/<group>' '{"op":"Replace","path":"displayName","value":"City Tours<mark>"}'
  expect 204 'rename the group'
  patch '/Users/<joiner_id>' '{"op":"Replace","path":"active","value":"False"}'
  expect 200 'soft delete, active as text' '.active == false'
  patch '/Users/<joiner_id>' '{"op":"Replace","path":"active","value":"True"}'
  expect 200 'restore, still in the group' '.active == true and groups == [env.group]'
  send DELETE '/Users/<joiner_id>'
  expect 204 'hard delete'
  send GET '/Users/<joiner_id>'
  expect 404 'the user is gone'
  send GET '/Groups/<group>'
  expect 200 'and has left the group' 'members == [] and (.displayName | startswith("City"))'
  send POST /Users "$body"
  expect 201 'create the same userName: a new id' '.userName == env.joiner and .id != env.joiner_id'
  keep joiner_id
  tidy '/Groups/<group>' '/Users/<joiner_id>' '/Users/<colleague_id>'
}

onelogin_day() {
  idp=onelogin
  headers=(-H 'Content-Type: application/json')
  send GET /Users
  expect 200 'enable the connection'
  send GET '/Users?filter=userName+eq+%22<joiner>%22&'
  expect 200 'look up the joiner: not there' none
  send POST /Users '{"schemas":["urn:scim:schemas:core:2.0","urn:scim:schemas:extension:enterprise:2.0"],"userName":"<joiner>",
    "active":"true","name":{"givenName":"Jo","familyName":"Iner"},"emails":[{"value":"<joiner>","primary":true}],
    "urn:scim:schemas:extension:enterprise:2.0":{"department":"Tours"}}'
  expect 201 "create user $joiner, legacy URNs" '.userName == env.joiner and .active == true' 'enterprise.department == "Tours"' \
    '.name.givenName == "Jo" and .name.familyName == "Iner"' '.schemas | index(env.U)'
  keep joiner_id
  send POST /Users '{"schemas":["urn:scim:schemas:core:1.0","urn:scim:schemas:extension:enterprise:1.0"],"userName":"<colleague>","title":"",
    "name":{"familyName":"League","givenName":"Col","formatted":"Col League"},"emails":{"value":"<colleague>","type":"work","primary":true},
    "urn:scim:schemas:extension:enterprise:1.0":{"department":"","manager":{"managerId":"<joiner_id>","displayName":"Jo Iner"}}}'
  expect 201 "create user $colleague, SCIM 1 template" '.emails[0].value == env.colleague' 'enterprise.manager.value == env.joiner_id'
  keep colleague_id
  local profile='"schemas":["<U>"],"userName":"<joiner>","name":{"givenName":"Jo","familyName":"Mover"},"emails":[{"value":"<joiner>","primary":true}]'
  send PUT '/Users/<joiner_id>?' "{$profile,\"active\":\"false\"}"
  expect 200 'move and suspend by PUT, active as text' '.active == false and .name.familyName == "Mover"'
  send PUT '/Users/<joiner_id>?' "{$profile,\"title\":\"Lead\"}"
  expect 200 'PUT without active: still suspended' '.active == false and .title == "Lead"'
  send PUT '/Users/<joiner_id>?' "{$profile,\"active\":\"true\"}"
  expect 200 'back to work' '.active == true'
  send POST /Groups '{"schemas":["<G>"],"displayName":"Guides<mark>"}'
  expect 201 'create the group Guides' 'members == []'
  keep group
  patch '/Groups/<group>' '{"op":"add","path":"members","value":[{"value":"<joiner_id>"},{"value":"<colleague_id>"}]}'
  expect 200 'add two members' 'members == both'
  patch '/Groups/<group>' '{"op":"remove","path":"members[value eq \"<colleague_id>\"]"}'
  expect 200 'remove one member' 'members == [env.joiner_id]'
  send DELETE '/Users/<joiner_id>'
  expect 204 'delete the leaver'
  send GET '/Users/<joiner_id>'
  expect 404 'the user is gone'
  tidy '/Groups/<group>' '/Users/<colleague_id>'
}

start_server() { # a server of our own on a free port, with three tenants
  local bin=${ROLLBOOK_BIN:-target/debug/rollbook} name
  [[ -x $bin ]] || bin=$(command -v "${ROLLBOOK_BIN:-rollbook}") || stop 'no server: build it, or set ROLLBOOK_BIN'
  for name in ${!ROLLBOOK_@}; do unset "$name"; done # the caller's settings must not reach it
  export ROLLBOOK_DATABASE_URL="sqlite://$work/rollbook.db"
  : >"$work/server.log"
  "$bin" serve --listen 127.0.0.1:0 >>"$work/server.log" 2>&1 &
  server=$!
  for _ in {1..200}; do
    ROLLBOOK_URL=$(sed -n 's|.*listening on \(http://127\.0\.0\.1:[0-9]*\).*|\1/scim/v2|p' "$work/server.log" | head -n 1)
    if [[ -n $ROLLBOOK_URL ]] || ! kill -0 "$server" 2>/dev/null; then break; fi
    sleep 0.1
  done
  [[ -n $ROLLBOOK_URL ]] || stop 'the server did not start'
  for name in okta entra onelogin; do
    "$bin" tenant create "$name" --idp "$name" >"$work/cli" 2>&1 || stop "tenant create $name:" "$(cat "$work/cli")"
    "$bin" token issue "$name" --quiet >"$work/$name" || stop "token issue $name failed"
  done
  ROLLBOOK_OKTA_TOKEN=$(cat "$work/okta") ROLLBOOK_ENTRA_TOKEN=$(cat "$work/entra") ROLLBOOK_ONELOGIN_TOKEN=$(cat "$work/onelogin")
}

stop_server() {
  local code=0
  kill -TERM "$server" && wait "$server" || code=$?
  server=
  [[ $code == 0 ]] || stop "WRONG  server  exit code $code after SIGTERM, expected 0"
  checks=$((checks + 1))
  echo 'ok  server  stopped by SIGTERM  0'
}

case "$*" in
  '') mark=-$(date +%s) ;; # names of this run only: the tenants may hold people already
  --self) mark= && start_server ;;
  *) stop 'usage: examples/provision.sh [--self]' ;;
esac
url=${ROLLBOOK_URL:-http://127.0.0.1:8080/scim/v2}
: "${ROLLBOOK_OKTA_TOKEN:?is not set}" "${ROLLBOOK_ENTRA_TOKEN:?is not set}" "${ROLLBOOK_ONELOGIN_TOKEN:?is not set}"
export mark joiner=joiner$mark@example.com colleague=colleague$mark@example.com

authorization="Bearer $ROLLBOOK_OKTA_TOKEN" && okta_day
authorization="Bearer $ROLLBOOK_ENTRA_TOKEN" && entra_day
authorization="Bearer $ROLLBOOK_ONELOGIN_TOKEN" && onelogin_day
[[ -z $server ]] || stop_server
echo "all $checks checks passed"
