# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#
# bash completion for mkfs.vmemfs, fsck.vmemfs, dump.vmemfs and resize.vmemfs: the
# options are those that --help shows, and the rest is files
# shellcheck shell=bash

_vmemfs()
{
	local cur prev words cword
	_init_completion || return
	case $prev in
	-d | --directory)
		_filedir -d
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$("$1" --help | grep -oE -- '(^| )--?[a-zA-Z][a-z-]*')" -- "$cur")
		return
	fi
	_filedir
} && complete -F _vmemfs mkfs.vmemfs fsck.vmemfs dump.vmemfs resize.vmemfs
