# fish completion for sstorefs(1), mount.fuse.sstorefs(8) and sstorefs-mount-proxy(8). The list of options comes from the program itself.

# Prints what can follow -o: the options that were typed before the last comma stay in front of each proposal.
function __sstorefs_options
    set -l typed (commandline -ct | string replace -r '^-o' '')
    set -l before (string match -r '^.*,' -- $typed)
    set -l option (string replace -- "$before" '' $typed)
    set -l listed (sstorefs --help 2>/dev/null | sed -n '/^OPTIONS$/,/^$/s/^  \([a-z_]*=\?[^ ]*\)  *\(.*\)/\1\t\2/p')
    if not string match -q '*=*' -- $option
        printf '%s\n' $listed | string replace -r '^([a-z_]+=?)[^\t]*' "$before\$1"
        return
    end
    set -l name (string replace -r '=.*' '' -- $option)
    set -l argument (printf '%s\n' $listed | string match -rg "^$name=([^\t]*)")
    switch "$argument"
        case PATH
            __fish_complete_path (string replace -r '^[^=]*=' '' -- $option) | string replace -r '^' "$before$name="
        case USER NAME
            __fish_complete_users | string replace -r '^' "$before$name="
        case GROUP
            __fish_complete_groups | string replace -r '^' "$before$name="
        case '*'
            # Of `SECONDS|minimal` the words in small letters stand for themselves.
            string split '|' -- $argument | string match -r '^[a-z]+$' | string replace -r '^' "$before$name="
    end
end

# Prints the beginnings of sources.
function __sstorefs_sources
    sstorefs --help 2>/dev/null | sed -n '/^SOURCE$/,/^$/s/^  \(.*[^ ]\)   .*/\1/p' | string split ', ' | string replace -r '[A-Z].*' '' | sort -u
end

function __sstorefs_wants_source
    not string match -qr '^[a-z]+:' -- (commandline -opc)
    and not string match -qr '^[./]' -- (commandline -ct)
end

for program in sstorefs mount.fuse.sstorefs mount.sstorefs
    complete -c $program -f
    complete -c $program -n __sstorefs_wants_source -a '(__sstorefs_sources)'
    complete -c $program -n 'not __sstorefs_wants_source' -a '(__fish_complete_directories)'
    complete -c $program -s o -x -a '(__sstorefs_options)' -d 'options, with commas between them'
end
complete -c sstorefs -s f -l foreground -d 'stay in the foreground, log to stderr'
complete -c sstorefs -s d -l debug -d 'the same, and log every step'
complete -c sstorefs -l check -d 'mount nothing; say whether it would work, or how a mount is'
complete -c sstorefs -l json -d 'with --check: as JSON'
complete -c sstorefs -l alive -d 'with --check of a mount: only whether its daemon answers'
complete -c sstorefs -s h -l help -d 'print a summary'
complete -c sstorefs -s V -l version -d 'print the versions of sstorefs and of its libraries'

complete -c sstorefs-mount-proxy -f -a '(__fish_complete_directories)'
complete -c sstorefs-mount-proxy -s u -x -a '(__fish_complete_users)' -d 'the user of the daemon'
complete -c sstorefs-mount-proxy -s o -x -a 'allow_other ro source=' -d 'options'
complete -c sstorefs-mount-proxy -l listen -r -F -d 'socket to listen on'
complete -c sstorefs-mount-proxy -l request -r -F -d 'socket to ask'
complete -c sstorefs-mount-proxy -l prepare -x -a '(__fish_complete_directories)' -d 'close the directory to root while nothing is mounted'
complete -c sstorefs-mount-proxy -l unmount -x -a '(__fish_complete_directories)' -d 'unmount'
complete -c sstorefs-mount-proxy -l help -d 'print a summary'
