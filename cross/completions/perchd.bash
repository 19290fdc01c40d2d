# Words of perchd for bash. A test holds them to what `perchd --help` says.
_perchd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} options
    case $before in
    --config | --state | import) COMPREPLY=($(compgen -f -- "$word")) && return ;;
    --auth) COMPREPLY=($(compgen -W "users pairing demo open" -- "$word")) && return ;;
    esac
    case ${COMP_WORDS[1]-} in
    init) options="--listen --config --state --force --help" ;;
    serve) options="--config --listen --state --auth --help" ;;
    check) options="--help" ;;
    tools) options="--scope --config --state --help" ;;
    passwd) options="--stdin --keep-tokens --config --state --help" ;;
    polkit) options="--config --user --help" ;;
    pair) options="--user --scope --config --state --help" ;;
    token) options="new inspect --scope --ttl --name --user --config --state --help" ;;
    revoke) options="--all --user --client --name --token --config --state --help" ;;
    keys) options="rotate export import --config --state --force --help" ;;
    health) options="--quiet --config --state --help" ;;
    *) options="init serve check tools passwd polkit pair token revoke keys health --config --listen --state --auth --help --version" ;;
    esac
    COMPREPLY=($(compgen -W "$options" -- "$word"))
    [[ ${COMP_WORDS[1]-} != check ]] || COMPREPLY+=($(compgen -f -- "$word"))
}
complete -o filenames -F _perchd perchd
