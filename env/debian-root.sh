# The environment for machines without dolfinx: a Debian 13 root that bubblewrap enters.
# Only /usr and /etc come from that root; every other folder is the host's, so paths mean the same inside.
# shellcheck shell=bash disable=SC2034,SC2154

suite=${DAWNDUSK_SUITE:-trixie}
case $suite in
    trixie) system="Debian 13" ;;
    *[!a-z]* | "") bad_input "DAWNDUSK_SUITE=$suite: no name of a Debian suite; give one such as trixie or unstable, or unset it" ;;
    *) system="Debian $suite" ;;
esac
inside=/dawndusk/venv # where the venv is mounted: its scripts name this path
packages=$(grep -v '^#' "$here/debian-packages.txt" | paste -sd, -)
[ "$suite" = trixie ] || packages=${packages/libosmesa6,/} # later suites have no OSMesa; EGL serves
root_digest=$(digest "$suite $(uname -m) ${DAWNDUSK_MIRROR:-}" "$here/debian-packages.txt")
debian_root=$cache/root-$root_digest
root_venv=$cache/venv-$(digest "$root_digest" "$here/requirements.lock" "$here/install.py" "$here/hdf5_order.py")
import_check='import dolfinx, petsc4py, mpi4py, numpy, h5py, pyvista, zarr'

need() { # need COMMAND-OR-FILE PACKAGE ...: have it, install it, or say what to type
    local wanted=()
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || [ -f "$1" ] || wanted+=("$2")
        shift 2
    done
    [ ${#wanted[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "missing: ${wanted[*]}. Install them with this system's package manager, or use conda:"
        die "    conda env create -f environment.yml && conda activate dawndusk"
    fi
    if [ "$(id -u)" != 0 ]; then
        say "missing: ${wanted[*]}. Type this, then try again:"
        die "    sudo apt-get update && sudo apt-get install -y ${wanted[*]}"
    fi
    mkdir -p "$cache"
    run_logged "$cache/host-tools.log" "installing ${wanted[*]} on this machine" \
        sh -c 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' sh "${wanted[@]}" ||
        die "apt-get could not install ${wanted[*]}"
}

make_root() { # make_root FOLDER
    local mode=unshare options=() proxy scheme
    [ "$(id -u)" != 0 ] || mode=root
    for scheme in http https; do # a proxy that only the host's apt knows of
        proxy=$(apt-config dump --format '%v' "Acquire::$scheme::Proxy" 2>/dev/null || true)
        [ -z "$proxy" ] || options+=(--aptopt="Acquire::$scheme::Proxy \"$proxy\"")
    done
    # A mirror may lag behind a suite that moves by more than its lists are said to be valid for.
    [ "$suite" = trixie ] || options+=(--aptopt='Acquire::Check-Valid-Until "false"')
    # Through a tar stream, so that every file belongs to the user who can then delete it.
    mmdebstrap --mode="$mode" --variant=apt --components=main --format=tar \
        --aptopt='Apt::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' "${options[@]}" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --include="$packages" "$suite" - ${DAWNDUSK_MIRROR:+"$DAWNDUSK_MIRROR"} |
        tar -x -C "$1" --no-same-owner --exclude='./dev/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*'
}

# Fills `sandbox`, the bwrap call: /usr and /etc of ROOT, the rest of the host, VENV at its place.
sandbox_for() { # sandbox_for ROOT VENV ro-bind|bind
    local from=$1 entry name target bundle="" variable
    sandbox=(bwrap --tmpfs / --ro-bind "$from/usr" /usr)
    for name in bin sbin lib lib64; do sandbox+=(--symlink "usr/$name" "/$name"); done
    sandbox+=(--tmpfs /etc)
    for entry in "$from"/etc/*; do
        name=/etc/${entry##*/}
        case $name in
            /etc/resolv.conf | /etc/hosts | /etc/hostname | /etc/passwd | /etc/group | /etc/localtime | /etc/ssl | /etc/mtab) continue ;;
        esac
        if [ -L "$entry" ]; then sandbox+=(--symlink "$(readlink "$entry")" "$name"); else sandbox+=(--ro-bind "$entry" "$name"); fi
    done
    # The host's names, users and package settings hold inside as well.
    for name in /etc/resolv.conf /etc/hosts /etc/hostname /etc/passwd /etc/group /etc/localtime /etc/pip.conf /etc/uv /etc/ssl; do
        [ -e "$name" ] && sandbox+=(--ro-bind "$(readlink -f "$name")" "$name")
    done
    for entry in /*; do
        case $entry in
            /usr | /bin | /sbin | /lib* | /etc | /boot | /proc | /sys | /dev | /run | /var | /lost+found | /dawndusk) continue ;;
        esac
        if [ -L "$entry" ]; then
            sandbox+=(--symlink "$(readlink "$entry")" "$entry")
        elif [ -d "$entry" ] && [ -r "$entry" ] && [ -x "$entry" ]; then
            sandbox+=(--bind "$entry" "$entry")
        fi
    done
    sandbox+=(--tmpfs /run --dir /var --ro-bind "$from/var/lib" /var/lib --bind /var/tmp /var/tmp)
    sandbox+=(--dev-bind /dev /dev --bind /proc /proc --ro-bind /sys /sys)
    # What lies below a folder that is not the host's (a checkout under /var, say).
    for target in "$cache" "$project" "$PWD"; do
        case $target in
            /var/* | /run/*) sandbox+=(--bind "$target" "$target") ;;
            /usr/* | /etc/*) die "$target lies inside a system folder, which the environment replaces; move it" ;;
        esac
    done
    sandbox+=(--"$3" "$2" "$inside" --chdir "$PWD")
    # Certificates: one bundle, the host's, at one place, for every client.
    for variable in SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT; do
        [ -n "$bundle" ] || [ ! -f "${!variable:-}" ] || bundle=${!variable}
    done
    for target in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem; do
        [ -n "$bundle" ] || [ ! -f "$target" ] || bundle=$target
    done
    if [ -n "$bundle" ]; then
        sandbox+=(--ro-bind "$(readlink -f "$bundle")" /dawndusk/certificates.crt)
        for variable in SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE PIP_CERT GIT_SSL_CAINFO; do
            sandbox+=(--setenv "$variable" /dawndusk/certificates.crt)
        done
        sandbox+=(--unsetenv SSL_CERT_DIR)
    fi
    for variable in LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV CONDA_PREFIX TMPDIR; do
        [ "$variable" = TMPDIR ] && [ -d "${TMPDIR:-}" ] && case $TMPDIR in /run/* | /var/*) ;; *) continue ;; esac
        sandbox+=(--unsetenv "$variable")
    done
    sandbox+=(--setenv PYTHONNOUSERSITE 1 --setenv DAWNDUSK_ACTIVE "$root_venv" --setenv PATH "$inside/bin:$here/bin:/usr/bin:/bin")
}

# What mmdebstrap and bwrap need of the system for an ordinary user, with the command that gives it.
need_user_namespaces() {
    local user file
    user=$(id -un)
    unshare --user true 2>/dev/null ||
        die "this system does not let users make user namespaces, which mmdebstrap and bubblewrap need. Ask its administrator, or use conda: docs/guide/install.md"
    for file in /etc/subuid /etc/subgid; do
        grep -qsE "^($user|$(id -u)):" "$file" && continue
        say "$user has no range of subordinate ids in $file. Type this, then try again:"
        die "    sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
    done
}

build_root() {
    lock "$root"
    if [ ! -d "$root" ]; then
        local tools=(mmdebstrap mmdebstrap bwrap bubblewrap /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring)
        [ "$(id -u)" = 0 ] || tools+=(newuidmap uidmap)
        need "${tools[@]}"
        [ "$(id -u)" = 0 ] || need_user_namespaces
        has_room "$cache" 4 "the environment" "free some, or name another folder with DAWNDUSK_CACHE"
        has_room "${TMPDIR:-/tmp}" 3 "its build" "free some, or name another folder with TMPDIR"
        begin_partial "$root"
        say "building a $system root with dolfinx in $root (once; 2-4 minutes, 2.2 GB)"
        run_logged "$root.log" "Debian root" make_root "$partial" ||
            die "the Debian root could not be built; see above. Behind a proxy set http_proxy; for another mirror set DAWNDUSK_MIRROR"
        finish_partial "$root"
    fi
    unlock
}

build_venv() {
    lock "$venv"
    if [ ! -d "$venv" ]; then
        local sandbox
        has_room "$cache" 2 "the Python packages" "free some, or name another folder with DAWNDUSK_CACHE"
        begin_partial "$venv"
        sandbox_for "$root" "$partial" bind
        "${sandbox[@]}" python3 -m venv --system-site-packages "$inside" ||
            die "bubblewrap could not enter the root; if user namespaces are not allowed here, use conda: docs/guide/install.md"
        run_logged "$venv.log" "Python packages" "${sandbox[@]}" "$inside/bin/python" "$here/install.py" "$here/requirements.lock" ||
            die "the Python packages could not be installed; see above"
        run_logged "$venv.check.log" "checking the environment" "${sandbox[@]}" "$inside/bin/python" -c "$import_check" ||
            die "the environment does not import; see above"
        rm -f "$venv.check.log"
        finish_partial "$venv"
    fi
    unlock
}

ensure_root() {
    [ -d "$root" ] || build_root
    need bwrap bubblewrap
    [ -d "$venv" ] || build_venv
}

# The root has no srun: in a job of SLURM its mpirun starts processes on this node by itself.
without_srun() {
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        export PRTE_MCA_plm="${PRTE_MCA_plm:-ssh}" PRTE_MCA_ras="${PRTE_MCA_ras:-^slurm}"
    fi
}

enter_root() {
    local sandbox
    export_common
    quiet_mpi
    without_srun
    mark_used "$venv"
    sandbox_for "$root" "$venv" ro-bind
    exec "${sandbox[@]}" -- "$@"
}

enter_again() {
    export_common
    export PATH="$inside/bin:$here/bin:$PATH"
    exec "$@"
}
