/**
 * Hands the shipped class of the consensus core to a hook, before the first object of it exists: the command is bundled and names
 * nothing to the outside, so the one file that declares the class is given one more line when it is read. The product needs
 * no hooks for that.
 */
import fs from 'node:fs'
import type { RaftNode } from '../../src/raft/node.ts'

type Take = (shipped: typeof RaftNode) => void

/** Not one of those imaginary members with which a node rehearses elections (src/node/rehearsal.ts). */
export const isIncarnation = ({ self }: RaftNode): boolean => self.includes('#')

/** As written, and as bundled. */
const DECLARES = /\bclass RaftNode\b|\bRaftNode ?= ?class\b/

export function onRaftNode(take: Take): void {
  Object.assign(globalThis, { quorateBenchRaftNode: take })
  const { readFileSync } = fs
  const read = readFileSync as (...args: readonly unknown[]) => unknown
  Object.assign(fs, {
    readFileSync(...args: readonly unknown[]): unknown {
      const text = read(...args)
      const isPart = typeof text === 'string' && /[\\/]dist[\\/]command[\\/]/.test(String(args[0]))
      return isPart && DECLARES.test(text) ? `${text}\n;quorateBenchRaftNode(RaftNode)` : text
    }
  })
}
