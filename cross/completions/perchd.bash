# Words of perchd, made of what `perchd --help` says: PERCHD_WRITE=1 cargo test --test it reference::
_perchd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words files=
    case $before in
    --ca | --config | --output | --token-file) COMPREPLY=($(compgen -f -- "$word")) && return ;;
    --state) COMPREPLY=($(compgen -d -- "$word")) && return ;;
    --auth) COMPREPLY=($(compgen -W "users pairing demo open" -- "$word")) && return ;;
    esac
    case ${COMP_WORDS[1]-} in
    init) words="--listen --config --state --force --help" ;;
    serve) words="--config --listen --state --auth --help" ;;
    check) words="--config --state --help" files=1 ;;
    tools) words="--scope --config --state --help" ;;
    call) words="--config --state --help" ;;
    passwd) words="--stdin --keep-tokens --config --state --help" ;;
    polkit) words="--config --state --user --help" ;;
    connect) words="--pin --ca --device --scope --token-file --header --allow-http --patience --forget --help" ;;
    doctor) words="--pin --ca --token-file --allow-http --config --state --help" ;;
    bundle) words="--pin --allow-http --output --help" ;;
    pair) words="--user --scope --config --state --help" ;;
    token) words="new inspect --scope --ttl --name --user --config --state --help" ;;
    revoke) words="--all --user --client --name --token --config --state --help" ;;
    keys) words="rotate export import --force --config --state --help" files=1 ;;
    health) words="--quiet --config --state --help" ;;
    *) words="init serve check tools call passwd polkit connect doctor bundle pair token revoke keys health --config --listen --state --auth --help --version" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    [[ -z $files ]] || COMPREPLY+=($(compgen -f -- "$word"))
}
complete -F _perchd perchd
