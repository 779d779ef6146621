import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPeerCache } from '../../src/discovery/peer-cache.ts'
import type { PeerCache } from '../../src/discovery/peer-cache.ts'
import type { PeerHint } from '../../src/discovery/port.ts'
import { VirtualClock } from './memory-link.ts'

let directory: string
let path: string
let clock: VirtualClock
let warnings: string[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'quorate-cache-'))
  path = join(directory, 'peers')
  clock = new VirtualClock()
  warnings = []
})

afterEach(() => rm(directory, { recursive: true }))

const cache = (): PeerCache =>
  createPeerCache({ path, clock, logger: { warn: (_details, message) => void warnings.push(message) } })

async function hintsOf(source: PeerCache): Promise<PeerHint[]> {
  const hints: PeerHint[] = []
  await source.start({ onHint: (hint) => hints.push(hint), onAlarm: () => undefined })
  return hints
}

describe('the peer cache', () => {
  it('remembers over a restart, last seen first, readable by its owner only', async () => {
    const first = cache()
    expect(await hintsOf(first)).toEqual([])
    first.remember({ peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1/p2p/ann'] })
    await clock.runFor(10)
    first.remember({ peerId: 'bob', addresses: ['/ip4/10.0.0.2/tcp/1', 'nonsense'] })
    first.remember({ peerId: 'eve', addresses: [] })
    await first.stop()
    expect(await hintsOf(cache())).toEqual([
      { source: 'cache', peerId: 'bob', addresses: ['/ip4/10.0.0.2/tcp/1'] },
      { source: 'cache', peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'] }
    ])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(directory)).toEqual(['peers'])
    expect(warnings).toEqual([])
  })

  it('is capped in peers and addresses, and forgets on demand', async () => {
    const many = cache()
    await hintsOf(many)
    const addresses = Array.from({ length: 50 }, (_, i) => `/ip4/10.0.0.1/tcp/${i + 1}`)
    for (let i = 0; i < 500; i++) many.remember({ peerId: `peer${i}`, addresses })
    many.forget('peer499')
    await many.stop()
    const hints = await hintsOf(cache())
    expect(hints).toHaveLength(127)
    expect(hints[0]!.peerId).toBe('peer498')
    expect(hints.every((hint) => hint.addresses.length === 8)).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['no JSON', '{"version":1,"peers":[{'],
    ['another version', '{"version":2,"peers":[]}'],
    ['null', 'null'],
    ['a number', '7'],
    ['zeros', '\0\0\0\0'],
    ['peers that are none', '{"version":1,"peers":{}}']
  ])('a damaged file is ignored with a word, and replaced: %s', async (_name, text) => {
    await writeFile(path, text)
    const damaged = cache()
    expect(await hintsOf(damaged)).toEqual([])
    expect(warnings).toHaveLength(1)
    damaged.remember({ peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'] })
    await damaged.stop()
    expect(await hintsOf(cache())).toHaveLength(1)
  })

  it('damaged entries are left out, the others stay', async () => {
    const good = { peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'], lastSeenWallMs: clock.wallNow() }
    const peers = [
      null,
      3,
      {},
      { ...good, peerId: 7 },
      { ...good, addresses: [1, {}, null] },
      { ...good, addresses: 'x' },
      good
    ]
    await writeFile(path, JSON.stringify({ version: 1, peers }))
    expect((await hintsOf(cache())).map(({ peerId }) => peerId)).toEqual(['ann'])
    expect(warnings).toEqual([])
  })

  it('what was last seen months ago is left out; a clock that jumped back costs nothing', async () => {
    const at = (lastSeenWallMs: number, peerId: string): object => ({
      peerId,
      addresses: ['/ip4/10.0.0.1/tcp/1'],
      lastSeenWallMs
    })
    const now = clock.wallNow()
    await writeFile(
      path,
      JSON.stringify({ version: 1, peers: [at(now - 100 * 86_400_000, 'old'), at(now + 1e12, 'future')] })
    )
    expect((await hintsOf(cache())).map(({ peerId }) => peerId)).toEqual(['future'])
  })

  it('is written soon after a change, and not again for the same news', async () => {
    const source = cache()
    await hintsOf(source)
    source.remember({ peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'] })
    await clock.runFor(1_100)
    await source.stop()
    const written = await readFile(path, 'utf8')
    expect(written).toContain('ann')
    await hintsOf(source)
    for (let i = 0; i < 100; i++) {
      source.remember({ peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'] })
      await clock.runFor(1_000)
    }
    await source.stop()
    expect(await readFile(path, 'utf8')).toBe(written)
  })

  it('a directory that cannot be written is a warning, not an error', async () => {
    path = join(directory, 'missing', 'peers')
    const source = cache()
    await hintsOf(source)
    source.remember({ peerId: 'ann', addresses: ['/ip4/10.0.0.1/tcp/1'] })
    await source.stop()
    expect(warnings).toEqual(['the peer cache could not be written'])
  })
})
