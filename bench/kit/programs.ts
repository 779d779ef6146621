/** What runs a node of a yard: the command, or a program that embeds the library. Both print their events as lines of JSON. */
import { fileURLToPath } from 'node:url'
import type { TimingPreset } from '../../src/config-init/index.ts'
import type { EmbeddedInit } from './embedded-mark.ts'

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

const COMMAND = pathOf('../../bin/quorate.js')
const EMBEDDED = pathOf('embedded-child.ts')

export type Program = 'command' | 'embedded'

/** What a node is told when it starts, by whichever way. */
export interface Orders {
  readonly dataDir: string
  readonly token: string
  readonly listen: string
  /** `host:port`; undefined: mDNS, on loopback. */
  readonly seeds: readonly string[] | undefined
  readonly timing: TimingPreset | undefined
}

/** The words behind `node`. */
export const wordsOf = (program: Program, orders: Orders): readonly string[] =>
  program === 'command' ? commandWords(orders) : [EMBEDDED, JSON.stringify(embeddedInit(orders))]

function commandWords({ dataDir, token, listen, seeds, timing }: Orders): readonly string[] {
  const find = seeds === undefined ? ['--interface', 'lo'] : ['--no-mdns', ...seeds.flatMap((seed) => ['--seed', seed])]
  const pace = timing === undefined ? [] : ['--timing', timing]
  const own = ['--data', dataDir, '--listen', listen, '--token', token]
  return [COMMAND, 'up', '--json', '--stop-with-parent', ...own, ...find, ...pace]
}

function embeddedInit({ dataDir, token, listen, seeds, timing }: Orders): EmbeddedInit {
  const discovery = seeds === undefined ? { mdns: { interfaces: ['lo'] } } : { mdns: false, seeds }
  return { dataDir, token, listen: [listen], discovery, ...(timing === undefined ? {} : { timing }) }
}
