/** `quorate config` for people. Pure. */
import type { ConfigHistoryEntry, ConfigVersion } from '../../node/types.ts'
import type { Style } from './style.ts'
import { printable, shortHash, shortPeer, table } from './text.ts'

/** The Swedish form is that of ISO 8601. */
const utcTime = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'medium' })

/** JSON escapes control characters itself. */
export const configLines = (config: ConfigVersion, style: Style): readonly string[] => [
  style.dim(`version ${config.version}  ${config.hash}`),
  ...JSON.stringify(config.value, undefined, 2).split('\n')
]

/** One version as it comes: what it is, and its value. */
export const versionLines = (entry: ConfigHistoryEntry, style: Style): readonly string[] => [
  [
    style.bold(`version ${entry.version}`),
    shortHash(entry.hash),
    ...(entry.author === 'genesis' ? [] : [`${utcTime.format(entry.at)} UTC`]),
    `by ${shortPeer(printable(entry.author))}${entry.reason === '' ? '' : `: ${printable(entry.reason)}`}`
  ].join('  '),
  ...JSON.stringify(entry.value, undefined, 2).split('\n')
]

/** Newest first. */
export function historyLines(history: readonly ConfigHistoryEntry[], style: Style): readonly string[] {
  const rows = history.toReversed().map((entry) => [
    style.bold(String(entry.version)),
    shortHash(entry.hash),
    // The initial config has no moment of its own: it is as old as the genesis.
    entry.author === 'genesis' ? '' : utcTime.format(entry.at),
    entry.author === 'genesis' ? '' : `term ${entry.term}`,
    shortPeer(printable(entry.author)),
    printable(entry.reason)
  ])
  return table([['version', 'hash', 'at (UTC)', 'term', 'author', 'reason'].map((title) => style.dim(title)), ...rows])
}
