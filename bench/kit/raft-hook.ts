/**
 * Hands the shipped class of the consensus core to a hook, before the first object of it exists: the command is bundled and names
 * nothing to the outside, so the one file that declares the class is given one more line when it is loaded. The product needs
 * no hooks for that.
 */
import { registerHooks } from 'node:module'
import type { RaftNode } from '../../src/raft/node.ts'

type Take = (shipped: typeof RaftNode) => void

/** Not one of those imaginary members with which a node rehearses elections (src/node/rehearsal.ts). */
export const isIncarnation = ({ self }: RaftNode): boolean => self.includes('#')

/** As written, and as bundled. */
const DECLARES = /\bclass RaftNode\b|\bRaftNode ?= ?class\b/

export function onRaftNode(take: Take): void {
  Object.assign(globalThis, { quorateBenchRaftNode: take })
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      if (!url.includes('/dist/') || loaded.source === undefined || loaded.source === null) return loaded
      const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
      return DECLARES.test(source) ? { ...loaded, source: `${source}\n;quorateBenchRaftNode(RaftNode)` } : loaded
    }
  })
}
