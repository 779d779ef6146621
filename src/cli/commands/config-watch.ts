/** `quorate config watch`: every version from the present one on, for whoever acts when the config changes. */
import type { Command } from 'commander'
import { NodeStoppedError } from '../../node/errors.ts'
import { configVeil, type Veil } from '../config-veil.ts'
import type { Io } from '../io.ts'
import { versionLines } from '../view/config-view.ts'
import { type AskOptions, askOptions, example, SECRETS_OPTION, show, wholeNumber } from './shared.ts'
import { follow } from './watch.ts'

interface WatchOptions extends AskOptions {
  readonly count?: number
  readonly secrets?: true
}

const NOTES = `
Begins with the version that is there, so that nothing falls between \`config get\` and this. When versions come faster than they are
read, none is left out.

Exit code 0 after --count versions, or when the node stops in order without a --count; 4 when it stops because of an error or before
the count is full, 8 when it is gone without a word.
`

export function defineWatch(command: Command, io: Io): void {
  askOptions(command)
    .option('--count <n>', 'end after so many versions, the present one included', wholeNumber(1))
    .option('--json', 'one line a version: {"version", "hash", "author", "reason", "at", "term", "value", …}')
    .option(...SECRETS_OPTION)
    .addHelpText(
      'after',
      NOTES + example('quorate config watch --data node\nquorate config watch --data node --json --count 2')
    )
    .action((options: WatchOptions) => watchConfig(io, options))
}

async function watchConfig(io: Io, options: WatchOptions): Promise<void> {
  const { count = Infinity, json } = options
  let veil: Veil | undefined
  let seen: number | undefined
  let shown = 0
  const end = await follow(io, options, undefined, async (client, signal) => {
    // Version 1 is there as soon as anything is.
    seen ??= ((await client.config({ signal }))?.version ?? 0) - 1
    const versions = seen < 0 ? [] : await client.history({ signal, after: seen })
    if (seen < 0) seen = undefined
    if (versions.length > 0 && options.secrets !== true) veil ??= await configVeil(options.data)
    for (const entry of versions.slice(0, count - shown)) {
      const open = veil === undefined ? entry : { ...entry, value: veil.hide(entry.value) }
      show(io, json, open, (style) => versionLines(open, style))
      seen = entry.version
      shown++
    }
    return shown < count
  })
  if (end === 'stopped' && options.count !== undefined) {
    throw new NodeStoppedError(`after ${shown} of ${count} versions`)
  }
}
