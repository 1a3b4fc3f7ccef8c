# shellcheck shell=bash
# The profile by which the release program is compiled: what of it runs, and how often. To be sourced.

# profile_target: the target that the compiler builds for, unless it is told otherwise.
profile_target() { rustc -vV | sed -n 's/^host: //p'; }

# profile_folder: where the profile of that target is kept, whether it is there or not: profdata.xz, in LLVM's form, how often what of it
# ran; order.xz, the functions that an idle server has run, one a line; good-for, what both are good for.
profile_folder() { echo "bins/tigertrust/profile/$(profile_target)"; }

# profile_good_for: the compiler, and a digest of all else that gives functions their names, which are the dependencies and the settings
# of a release.
profile_good_for() {
  rustc --version
  {
    cat Cargo.lock
    awk '/^\[/ { is_release = /^\[profile\.release/ } is_release' Cargo.toml
  } | sha256sum | cut -d ' ' -f 1
}

# profile_lacking: why the profile is not to be used; nothing where it is.
profile_lacking() {
  local folder
  folder=$(profile_folder)
  if [[ ! -e $folder/good-for ]]; then
    echo "there is no $folder"
  elif [[ $(profile_good_for) != "$(<"$folder/good-for")" ]]; then
    echo "the profile was made with another compiler or other dependencies"
  elif ! command -v xz >/dev/null; then
    echo "xz was not found"
  fi
}

# profile_unpack DIRECTORY NAME: a file of the profile, to be DIRECTORY/NAME. One that is there and the same is left alone: cargo takes a
# file that is newer for another one.
profile_unpack() {
  xz --decompress --stdout "$(profile_folder)/$2.xz" >"$1/$2.new"
  if cmp --silent "$1/$2.new" "$1/$2"; then rm "$1/$2.new"; else mv "$1/$2.new" "$1/$2"; fi
}

# profile_build DIRECTORY FLAG...: builds the server with flags for the compiler, beside those of the environment. That the target is named
# makes them hold for the program, and not for what runs while it is compiled; DIRECTORY is where cargo puts it. All else is as in
# any release build: the compiler has the settings in the names of functions, and a profile of other names says nothing.
profile_build() {
  local directory=$1
  shift
  local -a flags=("$@")
  # A flag may hold a blank, which RUSTFLAGS divides at.
  if [[ -n ${CARGO_ENCODED_RUSTFLAGS:-} ]]; then
    flags=("$CARGO_ENCODED_RUSTFLAGS" "${flags[@]}")
  elif [[ -n ${RUSTFLAGS:-} ]]; then
    local -a own
    read -r -a own <<<"$RUSTFLAGS"
    flags=("${own[@]}" "${flags[@]}")
  fi
  local IFS=$'\x1f'
  CARGO_ENCODED_RUSTFLAGS="${flags[*]}" cargo build --release --locked --package tigertrust-server \
    --target "$(profile_target)" --target-dir "$directory"
}
