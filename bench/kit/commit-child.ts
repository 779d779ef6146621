/**
 * One node of `bench/commit.ts`, as a program that embeds the library: told over the channel to its parent what to write.
 */
import { createNode, type NodeInit } from 'quorate'

export interface CommitOrder {
  readonly inFlight: number
  readonly warmUpMs: number
  readonly forMs: number
  /** Of the config's canonical JSON. */
  readonly bytes: number
}

export type CommitReport =
  | { readonly type: 'ready'; readonly leads: boolean }
  | {
      readonly type: 'done'
      readonly latenciesMs: readonly number[]
      readonly elapsedMs: number
      /** With those of the warm-up. */
      readonly writes: number
    }

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

async function write({ inFlight, warmUpMs, forMs, bytes }: CommitOrder): Promise<CommitReport> {
  const counted = performance.now() + warmUpMs
  const end = counted + forMs
  const latenciesMs: number[] = []
  let count = 0
  const writer = async (): Promise<void> => {
    for (let now = performance.now(); now < end;) {
      const number = String(++count).padStart(10, '0')
      await node.config.set({ number, text: 'x'.repeat(bytes - 34) }, {})
      const after = performance.now()
      if (now >= counted) latenciesMs.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: inFlight }, writer))
  return { type: 'done', latenciesMs, elapsedMs: performance.now() - counted, writes: count }
}
