import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { describe, expect, it } from 'vitest'
import { SessionTags } from '../../src/transport/libp2p/session-tags.ts'
import { manualClock } from './manual-clock.ts'

const newPeer = async (): Promise<PeerId> => peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

function world() {
  const clock = manualClock()
  const merged: [PeerId, boolean][] = []
  const errors: unknown[] = []
  const tags = new SessionTags({
    peerStore: {
      merge(peerId, { tags: given }) {
        const tag: unknown = (given as Record<string, unknown>)['quorate-session']
        merged.push([peerId, tag !== undefined])
        return Promise.reject(new Error('the store is closed'))
      }
    },
    clock,
    onError: (error) => errors.push(error)
  })
  return { clock, merged, errors, tags }
}

describe('tags of sessions', () => {
  it('are set when the moment is over, and taken away with the last session', async () => {
    const { clock, merged, errors, tags } = world()
    const [a, b] = [await newPeer(), await newPeer()]
    tags.opened(a)
    clock.advance(200)
    tags.opened(b)
    tags.opened(a)
    expect(merged).toEqual([])
    clock.advance(50)
    expect(merged).toEqual([
      [a, true],
      [b, true]
    ])
    tags.ended(a)
    clock.advance(249)
    expect(merged).toHaveLength(2)
    clock.advance(1)
    expect(merged.slice(2)).toEqual([[a, false]])
    await new Promise(setImmediate)
    expect(errors).toHaveLength(3)
    tags.opened(a)
    clock.advance(250)
    expect(merged.slice(3)).toEqual([[a, true]])
    tags.ended(a)
    tags.opened(a)
    clock.advance(250)
    expect(merged).toHaveLength(4)
  })

  it('cost nothing for a session that has ended by then, nor at the end', async () => {
    const { clock, merged, tags } = world()
    const [a, b] = [await newPeer(), await newPeer()]
    tags.opened(a)
    tags.ended(a)
    clock.advance(1_000)
    tags.opened(b)
    tags.stop()
    clock.advance(1_000)
    expect(merged).toEqual([])
  })
})
