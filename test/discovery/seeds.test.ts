import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import type { DiscoveryAlarm, PeerHint } from '../../src/discovery/port.ts'
import { createSeeds, parseSeed } from '../../src/discovery/seeds.ts'
import type { SeedResolver, Seeds } from '../../src/discovery/seeds.ts'
import { VirtualClock } from './memory-link.ts'

const PEER = '12D3KooWJRSrypvnpHgc6ZAgyCni4KcSmbV7uGRaMw5LgMKT18fq'

interface World {
  readonly clock: VirtualClock
  readonly seeds: Seeds
  readonly hints: PeerHint[]
  readonly alarms: DiscoveryAlarm[]
}

async function start(texts: string[], resolve: SeedResolver = async () => []): Promise<World> {
  const clock = new VirtualClock()
  const seeds = createSeeds(texts, { clock, random: seededRandom(1), resolve })
  const hints: PeerHint[] = []
  const alarms: DiscoveryAlarm[] = []
  await seeds.start({ onHint: (hint) => hints.push(hint), onAlarm: (alarm) => alarms.push(alarm) })
  return { clock, seeds, hints, alarms }
}

describe('reading', () => {
  it.each([
    ['/ip4/10.0.0.1/tcp/4001', 'ip4', '10.0.0.1', 4001, undefined],
    [`/ip4/10.0.0.1/tcp/4001/p2p/${PEER}`, 'ip4', '10.0.0.1', 4001, PEER],
    [`/ip6/2001:DB8::1/tcp/4001/p2p/${PEER}`, 'ip6', '2001:db8::1', 4001, PEER],
    ['/dns4/node-1.plant.example/tcp/4001', 'dns4', 'node-1.plant.example', 4001, undefined],
    ['/dns6/Node-1/tcp/65535', 'dns6', 'node-1', 65_535, undefined],
    ['/dns/node-1/tcp/1', 'dns', 'node-1', 1, undefined],
    ['10.0.0.1:4001', 'ip4', '10.0.0.1', 4001, undefined],
    ['[fe80::1]:4001', 'ip6', 'fe80::1', 4001, undefined],
    ['node-1.plant.example:4001', 'dns', 'node-1.plant.example', 4001, undefined]
  ])('%s', (text, kind, host, port, peerId) => {
    expect(parseSeed(text)).toEqual({ text, kind, host, port, peerId })
  })

  it.each([
    ['', 'it is empty'],
    ['10.0.0.1', 'it has no port'],
    ['node-1', 'it has no port'],
    ['10.0.0.1:0', '0 is not a port'],
    ['10.0.0.1:65536', '65536 is not a port'],
    ['10.0.0.256:4001', '10.0.0.256 is not an IPv4 address'],
    ['10.0.01:4001', '10.0.01 is not an IPv4 address'],
    ['[::g]:4001', '::g is not an IPv6 address'],
    ['[1::2::3]:4001', '1::2::3 is not an IPv6 address'],
    ['-a.example:4001', '-a.example is not a host name'],
    ['fe80::1:4001', 'it is neither'],
    ['http://node-1:4001', 'it is neither'],
    ['node 1:4001', 'it is neither'],
    ['/ip4/10.0.0.1/udp/4001', 'it is not of the form'],
    ['/ip4/10.0.0.300/tcp/4001', 'it is not of the form'],
    ['/ip4/10.0.0.1/tcp/0', 'it is not of the form'],
    ['/ip4/10.0.0.1/tcp/4001/p2p/0OIl', 'it is not of the form'],
    ['/ip4/10.0.0.1/tcp/4001/p2p/12D3/p2p-circuit', 'it is not of the form'],
    ['/ip4/10.0.0.1', 'it is not of the form']
  ])('%s is refused: %s', (text, reason) => {
    const seed = parseSeed(text)
    expect('reason' in seed && seed.reason).toContain(reason)
  })

  it('is done up front, and each bad one is named at start', async () => {
    const world = await start(['10.0.0.1:4001', ' 10.0.0.1:4001 ', 'nonsense', '/ip4/1/tcp/1'])
    expect(world.seeds.valid).toHaveLength(1)
    expect(world.seeds.invalid.map(({ text }) => text)).toEqual(['nonsense', '/ip4/1/tcp/1'])
    expect(world.alarms.map(({ code }) => code)).toEqual(['seed-invalid', 'seed-invalid'])
    expect(world.alarms[0]!.detail).toBe('seed "nonsense" is ignored: it has no port')
  })
})

describe('hints', () => {
  it('addresses come at once, with their PeerId or alone', async () => {
    const { hints } = await start([
      '10.0.0.1:4001',
      `/ip4/10.0.0.2/tcp/4001/p2p/${PEER}`,
      '10.0.0.3:4001',
      `/ip6/::1/tcp/4001/p2p/${PEER}`
    ])
    expect(hints).toEqual([
      { source: 'seed', peerId: undefined, addresses: ['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.3/tcp/4001'] },
      { source: 'seed', peerId: PEER, addresses: ['/ip4/10.0.0.2/tcp/4001', '/ip6/::1/tcp/4001'] }
    ])
  })

  it('a name becomes its addresses, and is resolved again: what vanished is taken back', async () => {
    let answer = ['10.0.0.2', '10.0.0.1', 'fd00::1', 'not an address']
    const { clock, hints } = await start(['cluster.example:4001'], async () => answer)
    await clock.runFor(1)
    expect(hints).toEqual([
      {
        source: 'seed',
        peerId: undefined,
        addresses: ['/ip4/10.0.0.1/tcp/4001', '/ip4/10.0.0.2/tcp/4001', '/ip6/fd00::1/tcp/4001']
      }
    ])
    answer = ['10.0.0.2', '10.0.0.9']
    await clock.runFor(80_000)
    expect(hints.slice(1, 3)).toEqual([
      { source: 'seed', peerId: undefined, addresses: ['/ip4/10.0.0.1/tcp/4001', '/ip6/fd00::1/tcp/4001'], gone: true },
      { source: 'seed', peerId: undefined, addresses: ['/ip4/10.0.0.2/tcp/4001', '/ip4/10.0.0.9/tcp/4001'] }
    ])
  })

  it('the family of dns4 and dns6 is asked for', async () => {
    const asked: [string, number][] = []
    const resolve: SeedResolver = async (host, family) => {
      asked.push([host, family])
      return []
    }
    await start(['/dns4/a/tcp/1', '/dns6/b/tcp/1', '/dns/c/tcp/1'], resolve)
    expect(asked).toEqual([
      ['a', 4],
      ['b', 6],
      ['c', 0]
    ])
  })

  it('a name that cannot be resolved is tried with back-off, named once, and found when it appears', async () => {
    let calls = 0
    let isThere = false
    const { clock, hints, alarms } = await start(['late.example:4001'], async () => {
      calls += 1
      if (!isThere) throw new Error('ENOTFOUND')
      return ['10.0.0.5']
    })
    await clock.runFor(600_000)
    expect(alarms).toHaveLength(1)
    expect(alarms[0]).toMatchObject({ code: 'seed-unresolved' })
    expect(alarms[0]!.detail).toContain('ENOTFOUND')
    expect(calls).toBeGreaterThan(15)
    expect(calls).toBeLessThan(60)
    isThere = true
    await clock.runFor(31_000)
    expect(hints).toEqual([{ source: 'seed', peerId: undefined, addresses: ['/ip4/10.0.0.5/tcp/4001'] }])
  })

  it('what a name meant before stays when the resolver fails later', async () => {
    let fails = false
    const { clock, hints } = await start(['a.example:1'], async () => {
      if (fails) throw new Error('SERVFAIL')
      return ['10.0.0.5']
    })
    await clock.runFor(1)
    fails = true
    await clock.runFor(600_000)
    expect(hints.filter(({ gone }) => gone)).toEqual([])
  })

  it('a resolver that hangs is one that fails; stopping leaves nothing behind', async () => {
    const { clock, seeds, alarms } = await start(['hangs.example:1'], () => new Promise(() => undefined))
    await clock.runFor(60_000)
    expect(alarms[0]!.detail).toContain('no answer in 5 s')
    await seeds.stop()
    await clock.runFor(60_000)
    expect(clock.pending).toBe(0)
  })
})
