#!/usr/bin/env bash
# Sets the rules of the zone in front of the edge: ZONE_ID, CLOUDFLARE_API_TOKEN, ZONE (example.com), BOARD
# (board.example.com) and ORIGIN_HOST (origin.example.com). Never run against an account from this repository: read it
# first. Each `rules` replaces all rules of its phase.
set -euo pipefail
: "${ZONE_ID:?}" "${CLOUDFLARE_API_TOKEN:?}" "${ZONE:?}" "${BOARD:?}" "${ORIGIN_HOST:?}"

zone=https://api.cloudflare.com/client/v4/zones/$ZONE_ID
# The token and the private key go through pipes, because a command line is for everybody to see.
send() {
  curl --fail --silent --show-error -X "$1" "$zone/$2" \
    -H @<(printf 'Authorization: Bearer %s' "$CLOUDFLARE_API_TOKEN") --json @- <<<"$3"
}
setting() { send PATCH "settings/$1" "{\"value\":\"$2\"}"; }
rules() { send PUT "rulesets/phases/$1/entrypoint" "{\"rules\":[$2]}"; }

setting ssl strict
setting always_use_https on
setting min_tls_version 1.2

# Before the Worker, because a request that reaches the Worker is billed. The Free plan allows one rule and 10 s.
rules http_ratelimit '{"action":"block","expression":"http.host eq \"'"$BOARD"'\"","ratelimit":{
  "characteristics":["ip.src","cf.colo.id"],"period":10,"requests_per_period":1000,"mitigation_timeout":10}}'

# Only the edge may ask the origin.
rules http_request_firewall_custom '{"action":"block",
  "expression":"http.host eq \"'"$ORIGIN_HOST"'\" and cf.worker.upstream_zone ne \"'"$ZONE"'\""}'

# The edge decides what is fresh.
rules http_request_cache_settings '{"action":"set_cache_settings","action_parameters":{"cache":false},
  "expression":"http.host eq \"'"$ORIGIN_HOST"'\""}'

# For a public load balancer with Authenticated Origin Pulls for the host; CLIENT_CERTIFICATE is {"certificate":…,"private_key":…}.
if [[ -n ${CLIENT_CERTIFICATE:-} ]]; then
  id=$(send POST origin_tls_client_auth/hostnames/certificates "$CLIENT_CERTIFICATE" | sed -E 's/.*"id":"([^"]+)".*/\1/')
  send PUT origin_tls_client_auth/hostnames \
    "{\"config\":[{\"hostname\":\"$ORIGIN_HOST\",\"cert_id\":\"$id\",\"enabled\":true}]}"
fi
