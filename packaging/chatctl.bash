# Completion of chatctl(8) for bash. The words come from the program itself.
_chatctl() {
	local cur prev words cword
	_init_completion || return

	case $prev in
	--config | --output | --socket)
		_filedir
		return
		;;
	--sql-dir)
		_filedir -d
		return
		;;
	esac
	local usage commands command
	usage=$("$1" --help 2>/dev/null) || return
	# Lines of the commands begin with two blanks and a letter.
	commands=$(sed -n 's/^  \([a-z][a-z-]*\( [a-z][a-z-]*\)\{0,1\}\).*/\1/p' <<<"$usage")
	command=${words[1]}
	if [ "$cword" -ge 3 ] && grep -qx "$command ${words[2]}" <<<"$commands"; then
		command+=" ${words[2]}"
	elif [ "$cword" -eq 2 ] && grep -q "^$command [a-z]" <<<"$commands"; then
		mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^$command //p" <<<"$commands")" -- "$cur")
		return
	fi
	if [ "$cword" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(cut -d' ' -f1 <<<"$commands" | sort -u) --help --version" -- "$cur")
		return
	fi
	if [ "$command" = import-env ] && [[ $cur != -* ]]; then
		_filedir
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "--config --conninfo $(sed -n "s/^  $command\( .*\|$\)/\1/p" <<<"$usage" |
		grep -o -- '--[a-z][a-z-]*' | sort -u)" -- "$cur")
} && complete -F _chatctl chatctl
