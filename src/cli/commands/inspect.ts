/** `quorate inspect`: what a document says and whether that can be believed, without a running node. */
import type { Command } from 'commander'
import { ExitWith } from '../cli-errors.ts'
import { EXIT } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { readSource } from '../sources.ts'
import { example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  command
    .argument('<file>', 'the document, or - for standard input')
    .option('--genesis <file>', 'verify against this genesis')
    .addHelpText(
      'after',
      `
Shows a genesis, token, claim, founding certificate, address record or key file; never its secret part.
Exit code 0 when it is verified, 3 when it is not.
${example('quorate inspect plant-7/genesis.cose')}`
    )
    .action(async (file: string, { genesis, json }: { readonly genesis?: string; readonly json?: boolean }) => {
      const { formatDescription, inspectDocument, readGenesis } = await import('../../identity/index.ts')
      const anchor =
        genesis === undefined ? undefined : readGenesis(new Uint8Array(await readSource(io, genesis, 'the genesis')))
      const description = inspectDocument(new Uint8Array(await readSource(io, file, 'the document')), anchor)
      show(io, json, description, () => formatDescription(description))
      // An answer, and not an error: it says why.
      if (description.verified !== 'yes') throw new ExitWith(EXIT.refused)
    })
}
