/** Plain text for people: what may reach a terminal, how wide it is, how names are shortened. Pure. */

/** Control characters escaped: texts of peers (reasons, refusals) must not move the cursor or hide lines. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\t' ? ' ' : `\\u{${character.codePointAt(0)!.toString(16)}}`
  )
}

/**
 * As `printable`, in one line without stacks, and addresses as people write them: `…GXtF3SS at 10.0.0.3:4001` instead of a
 * multiaddr with two PeerIds.
 */
export const readable = (text: string): string =>
  printable(
    text
      .replace(/\n\s+at [^\n]+/g, '')
      .trim()
      .replace(/\s*\n\s*/g, ' ')
  )
    .replace(/\/ip4\/([\d.]+)\/(?:tcp|udp)\/(\d+)/g, '$1:$2')
    .replace(/\/ip6\/([\da-f:.]+)\/(?:tcp|udp)\/(\d+)/gi, '[$1]:$2')
    .replace(/\/dns[46]?\/([\w.-]+)\/(?:tcp|udp)\/(\d+)/g, '$1:$2')
    .replace(/(?<=\d)\/p2p\/\w+/g, '')
    .replace(/\b12D3KooW\w+(?= at )/g, (peerId) => shortPeer(peerId))

// oxlint-disable-next-line no-control-regex -- the escape character is what this is about
const ANSI = /\u001B\[[0-9;]*m/g
// oxlint-disable-next-line no-control-regex
const ANSI_OR_CHARACTER = /\u001B\[[0-9;]*m|./gsu

/** Columns that the text takes; one for each code point (names of wide scripts are cut later than they should be). */
export const widthOf = (text: string): number => text.replaceAll(ANSI, '').match(/./gsu)?.length ?? 0

/** At most `columns` wide, cut with an ellipsis; colours are closed. */
export function truncate(text: string, columns: number, ellipsis = '…'): string {
  if (widthOf(text) <= columns) return text
  let out = ''
  let width = 0
  let coloured = false
  for (const [part] of text.matchAll(ANSI_OR_CHARACTER)) {
    if (part.startsWith('\u001B')) {
      coloured = true
      out += part
    } else if (width < columns - widthOf(ellipsis)) {
      out += part
      width++
    } else break
  }
  return out + (columns > 0 ? ellipsis : '') + (coloured ? '\u001B[0m' : '')
}

/** Broken at blanks into lines of at most `columns` where words allow it; each begins with `indent`. For plain text. */
export function wrap(text: string, columns: number, indent = ''): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(`${indent}${line} ${word}`) > columns) {
      lines.push(indent + line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, indent + line]
}

/** Left-aligned columns two blanks apart, without trailing blanks. */
export function table(rows: readonly (readonly string[])[], indent = ''): readonly string[] {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, widthOf(cell))))
  return rows.map((row) =>
    (indent + row.map((cell, i) => cell + ' '.repeat(widths[i]! - widthOf(cell))).join('  ')).trimEnd()
  )
}

/** The end of a PeerId, where PeerIds differ. Who is not known yet has an address instead. */
export const shortPeer = (peer: string): string =>
  peer.startsWith('/') ? readable(peer) : peer.length <= 10 ? peer : `…${peer.slice(-7)}`

/** The first 12 digits of a hash, as people compare them. */
export const shortHash = (hex: string): string => hex.slice(0, 12)

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
