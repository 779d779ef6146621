/** `quorate inspect`: what a document says and whether that can be believed, without a running node. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import type { VerifiedGenesis } from '../../identity/index.ts'
import { ExitWith } from '../cli-errors.ts'
import { EXIT } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { readSource, STDIN } from '../sources.ts'
import { descriptionLines } from '../view/description-view.ts'
import { example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  command
    .argument('<file>', 'the document, or - for standard input')
    .option(
      '--genesis <file>',
      'verify against this genesis (default: genesis.cose beside the file, where it is needed)'
    )
    .addHelpText(
      'after',
      `
Shows a genesis, token, claim, founding certificate, address record, boot statement or key file; never its secret part.
Two boot statements, as an alarm brings them: whether they prove that a disk was set back or copied.
Exit code 0 when it is verified, 3 when it is not. A key file has nothing to verify: 0.
${example('quorate inspect plant-7/genesis.cose')}`
    )
    .action(async (file: string, { genesis, json }: { readonly genesis?: string; readonly json?: boolean }) => {
      const { inspectDocument, readGenesis } = await import('../../identity/index.ts')
      const bytes = new Uint8Array(await readSource(io, file, 'the document'))
      const given =
        genesis === undefined ? undefined : readGenesis(new Uint8Array(await readSource(io, genesis, 'the genesis')))
      const alone = inspectDocument(bytes, given)
      const beside = alone.verified === 'unknown' && alone.type !== 'key' ? await genesisBeside(file) : undefined
      const description = beside === undefined ? alone : inspectDocument(bytes, beside.genesis)
      const answer = { ...description, ...(beside === undefined ? {} : { genesis: beside.path }) }
      show(io, json, answer, ({ columns }) => descriptionLines(answer, columns))
      // An answer, and not an error: it says why. Nobody signs a key file: it says what it is, and that is all there is.
      if (description.verified !== 'yes' && description.type !== 'key') throw new ExitWith(EXIT.refused)
    })
}

/** As `init` and a data directory put them: documents lie where their genesis is. */
async function genesisBeside(
  file: string
): Promise<{ readonly path: string; readonly genesis: VerifiedGenesis } | undefined> {
  if (file === STDIN) return undefined
  const path = join(dirname(file), 'genesis.cose')
  const { readGenesis } = await import('../../identity/index.ts')
  try {
    return { path, genesis: readGenesis(new Uint8Array(await readFile(path))) }
  } catch {
    // Not there, or no good: then nothing is proved by it.
    return undefined
  }
}
