/** Commands as people paste them into a shell. */

/** As a shell reads it back. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`

/** Those that need a running node, and thus a data directory, where sentences name them. */
const ASKING = /`quorate (status|members|config \w+|promote|demote|remove|replace|transfer|leave)((?: [^`]*)?)`/g

/** Sentences name commands without the data directory: only the command line knows how it is called from here. */
export function withDataDir(sentence: string, dataDir: string | undefined): string {
  if (dataDir === undefined) return sentence
  return sentence.replace(ASKING, (whole: string, command: string, rest: string) =>
    rest.includes('--data ') ? whole : `\`quorate ${command} --data ${shellWord(dataDir)}${rest}\``
  )
}
