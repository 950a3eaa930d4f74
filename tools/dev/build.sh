# shellcheck shell=bash
# Builds what ./dev run starts. To be sourced by dev.

BUILD=$ROOT/build/dev

# configure FOLDER OPTION...: a build folder that meson knows. One that was begun only is made anew.
configure() {
  local folder=$1
  shift
  [ -e "$folder/build.ninja" ] && return
  rm -rf "$folder"
  quietly "meson-${folder##*/}" meson setup "$@" "$folder" "$ROOT"
}

build_programs() {
  configure "$BUILD" -Dbuildtype=debugoptimized -Dtests=false
  step "building chat-broker, chat-worker and chatctl"
  quietly ninja ninja -C "$BUILD" broker/chat-broker worker/chat-worker ctl/chatctl
}

# npm_packages FOLDER: what its lock file names, if that has changed.
npm_packages() {
  [ "$ROOT/$1/node_modules/.package-lock.json" -nt "$ROOT/$1/package-lock.json" ] && return
  step "fetching the npm packages of $1"
  # npm trusts whom the system trusts; by itself it only knows a list of its own.
  NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS-/etc/ssl/certs/ca-certificates.crt} \
    quietly "npm-${1//\//-}" npm ci --prefix "$ROOT/$1" --no-audit --no-fund
}

build_page() {
  local stamp=$ROOT/build/web.stamp
  npm_packages web
  if [ -e "$stamp" ] && [ -d "$ROOT/web/dist" ] && [ -z "$(find "$ROOT/web" \
    \( -name node_modules -o -name dist \) -prune -o -newer "$stamp" -print -quit)" ]; then
    return
  fi
  step "building the demo page"
  quietly page node "$ROOT/web/build.mjs"
  touch "$stamp"
}
