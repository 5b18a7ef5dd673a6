type Words = ReadonlyArray<{ path: string; words: readonly string[] }>

/** Scripts that know all words by themselves: completing starts no Node.js. Names of commands and options need no quotes. */
export const shells = { bash, zsh, fish } as const

function bash(all: Words): string {
  return `_bgc() {
  local path='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  local words
  case $path in
${cases(all)}
    *) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _bgc bgc
`
}

function zsh(all: Words): string {
  return `#compdef bgc
_bgc() {
  local path_='' word words_
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in -*) ;; *) path_="\${path_:+$path_ }$word" ;; esac
  done
  case $path_ in
${cases(all).replaceAll('words=', 'words_=')}
    *) _files; return ;;
  esac
  compadd -- \${=words_}
}
compdef _bgc bgc
`
}

function cases(all: Words): string {
  return all.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n')
}

function fish(all: Words): string {
  const lines = all.flatMap(({ path, words }) => {
    const condition = `test (__bgc_path) = '${path}'`
    return words.map((word) => `complete -c bgc -f -n "${condition}" -a '${word}'`)
  })
  return `function __bgc_path
  set -l words (commandline -opc)
  echo (string join ' ' (string match -v -- '-*' $words[2..-1]))
end
${lines.join('\n')}
`
}
