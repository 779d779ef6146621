/**
 * One node of `bench/commit.ts`, as a program that embeds the library: told over the channel to its parent what to write.
 */
import { createNode, type NodeInit } from 'quorate'
import { type CommitOrder, hammer, type Hammered } from './hammer.ts'

export type CommitReport =
  | { readonly type: 'ready'; readonly leads: boolean }
  /** The warm-up is over. */
  | { readonly type: 'counting' }
  | ({ readonly type: 'done' } & Hammered)

const init = JSON.parse(process.argv[2]!) as Pick<NodeInit, 'token' | 'dataDir' | 'listen' | 'discovery'>
const tell = (report: CommitReport): void => void process.send!(report)

const node = await createNode(init)
process.once('disconnect', () => process.exit())
await node.ready()
process.on('message', (order: CommitOrder | 'who leads') => {
  if (order === 'who leads') tell({ type: 'ready', leads: node.leader?.peerId === node.peerId })
  else void write(order).then(tell)
})
tell({ type: 'ready', leads: node.leader?.peerId === node.peerId })

async function write(order: CommitOrder): Promise<CommitReport> {
  const text = 'x'.repeat(order.bytes - 34)
  const set = (number: number): Promise<unknown> =>
    node.config.set({ number: String(number).padStart(10, '0'), text }, {})
  return { type: 'done', ...(await hammer(order, set, () => tell({ type: 'counting' }))) }
}
