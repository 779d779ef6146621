/** `quorate id`: the PeerId of a data directory, which a roster must name before the node has ever run. */
import type { Command } from 'commander'
import type { Io } from '../io.ts'
import { DATA_OPTION, example, show } from './shared.ts'

export function define(command: Command, io: Io): void {
  command
    .requiredOption(DATA_OPTION, 'data directory; made when absent')
    .addHelpText(
      'after',
      `
A node's key is made at its first start, or here. Its PeerId is what \`init --mode roster --voter\` takes.
${example('quorate id --data node')}`
    )
    .action(async ({ data, json }: { readonly data: string; readonly json?: boolean }) => {
      const { loadOrCreateNodeKey } = await import('../../node/node-key.ts')
      const { signer, created } = await loadOrCreateNodeKey(data)
      show(io, json, { peerId: signer.peerId, created }, () => [signer.peerId])
    })
}
