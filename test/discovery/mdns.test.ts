/** The whole of mDNS discovery on a segment in memory, in virtual time; sockets and namespaces are in test/integration. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import * as dns from 'dns-packet'
import type { Answer } from 'dns-packet'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { createMdns, serviceTagOf } from '../../src/discovery/mdns/index.ts'
import type { Mdns } from '../../src/discovery/mdns/index.ts'
import { writeAnnouncement, writeGoodbye } from '../../src/discovery/mdns/records.ts'
import type { AddressBookInit } from '../../src/discovery/mdns/address-book.ts'
import type { DiscoveryAlarm, PeerHint } from '../../src/discovery/port.ts'
import type { MemoryLink } from './memory-link.ts'
import { Segment, VirtualClock } from './memory-link.ts'

const TAG = serviceTagOf('0123456789abcdef')

const peerIds = await Promise.all(
  Array.from({ length: 120 }, async (_, i) => {
    const seed = new Uint8Array(32)
    new DataView(seed.buffer).setUint32(0, i + 1)
    return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString()
  })
)

class TestNode {
  readonly peerId: string
  readonly link: MemoryLink
  readonly mdns: Mdns
  readonly hints: (PeerHint & { readonly at: number })[] = []
  readonly alarms: DiscoveryAlarm[] = []
  readonly known = new Map<string, readonly string[]>()
  addresses: string[]
  readonly #segment: Segment

  constructor(segment: Segment, index: number, book: Partial<AddressBookInit> = {}) {
    this.#segment = segment
    this.peerId = peerIds[index]!
    const address = `10.1.${index >> 8}.${(index & 255) + 1}`
    this.link = segment.attach(address)
    this.addresses = [`/ip4/127.0.0.1/tcp/4001/p2p/${this.peerId}`, `/ip4/${address}/tcp/4001/p2p/${this.peerId}`]
    this.mdns = createMdns({
      peerId: this.peerId,
      addresses: () => this.addresses,
      serviceTag: TAG,
      clock: segment.clock,
      random: seededRandom(index),
      link: this.link,
      book
    })
  }

  async start(): Promise<void> {
    await this.mdns.start({
      onHint: (hint) => {
        this.hints.push({ ...hint, at: this.#segment.clock.now() })
        if (hint.gone === true) this.known.delete(hint.peerId!)
        else this.known.set(hint.peerId!, hint.addresses)
      },
      onAlarm: (alarm) => this.alarms.push(alarm)
    })
  }
}

const world = (
  init: Partial<ConstructorParameters<typeof Segment>[0]> = {}
): { clock: VirtualClock; segment: Segment } => {
  const clock = new VirtualClock()
  return { clock, segment: new Segment({ clock, ...init }) }
}

const response = (answers: Answer[]): Uint8Array =>
  dns.encode({ type: 'response', flags: dns.AUTHORITATIVE_ANSWER, answers })

/** An announcement as a stranger would write it. */
const announcement = (peerId: string, ...addresses: string[]): Uint8Array =>
  response(
    writeAnnouncement(
      TAG,
      `i${peerId.slice(-12).toLowerCase()}`,
      addresses.map((address) => `${address}/p2p/${peerId}`)
    )
  )

/** Two nodes that have just started, one after the other. */
async function couple() {
  const { clock, segment } = world()
  const [a, b] = [new TestNode(segment, 0), new TestNode(segment, 1)]
  await a.start()
  await b.start()
  return { clock, segment, a, b }
}

describe('finding each other', () => {
  it('three nodes that start together know each other after two packet times', async () => {
    const { clock, segment } = world()
    const nodes = [0, 1, 2].map((i) => new TestNode(segment, i))
    for (const node of nodes) await node.start()
    await clock.runFor(2)
    expect(nodes.map((node) => node.known.size)).toEqual([2, 2, 2])
    expect(nodes[0]!.known.get(peerIds[1]!)).toEqual(['/ip4/10.1.0.2/tcp/4001'])
    for (const node of nodes) await node.mdns.stop()
    await clock.runFor(1)
    expect(clock.pending).toBe(0)
  })

  it('a newcomer is known before anybody asks, and learns everybody from one query', async () => {
    const { clock, segment } = world()
    const nodes = [0, 1, 2, 3].map((i) => new TestNode(segment, i))
    for (const node of nodes.slice(0, 3)) await node.start()
    await clock.runFor(60_000)
    const before = clock.now()
    await nodes[3]!.start()
    await clock.runFor(100)
    expect(nodes[3]!.known.size).toBe(3)
    const seen = nodes[0]!.hints.find((hint) => hint.peerId === peerIds[3])!
    expect(seen.at - before).toBeLessThan(1)
    expect(nodes[3]!.hints.map((hint) => hint.at - before).every((ms) => ms <= 1.5)).toBe(true)
  })

  it('half of all packets lost only delays it', async () => {
    const { clock, segment } = world({ lossRate: 0.5 })
    const nodes = [0, 1, 2, 3, 4].map((i) => new TestNode(segment, i))
    for (const node of nodes) await node.start()
    await clock.runFor(8_000)
    expect(nodes.map((node) => node.known.size)).toEqual([4, 4, 4, 4, 4])
  })

  it('a hundred nodes at once, with receivers that take 20 packets in 10 ms, are complete soon and quiet afterwards', async () => {
    const { clock, segment } = world({ receivedPer10Ms: 20 })
    const nodes = Array.from({ length: 100 }, (_, i) => new TestNode(segment, i))
    for (const node of nodes) await node.start()
    let completeAt: number | undefined
    for (let step = 0; step < 100 && completeAt === undefined; step++) {
      await clock.runFor(200)
      if (nodes.every((node) => node.known.size === 99)) completeAt = clock.now()
    }
    expect(completeAt).toBeLessThanOrEqual(6_000)
    await clock.runFor(30_000)
    const before = segment.packets
    await clock.runFor(30_000)
    // Vanilla: 2,464 answers in 10 s for 50 nodes.
    expect((segment.packets - before) / 30).toBeLessThan(15)
    expect(nodes.every((node) => node.known.size === 99)).toBe(true)
    for (const node of nodes) await node.mdns.stop()
  }, 120_000)

  it('nodes of another domain are not seen', async () => {
    const { clock, segment } = world()
    const ours = new TestNode(segment, 0)
    await ours.start()
    segment.inject(
      response(writeAnnouncement(serviceTagOf('ffffffff'), 'x', [`/ip4/10.1.0.9/tcp/1/p2p/${peerIds[9]}`])),
      '10.1.0.9'
    )
    await clock.runFor(1_000)
    expect(ours.hints).toEqual([])
  })
})

describe('leaving and coming back', () => {
  it('a goodbye is honoured at once, and only from where the announcement came', async () => {
    const { clock, segment, a, b } = await couple()
    await clock.runFor(10)
    segment.inject(response(writeGoodbye(TAG, 'no-such-instance')), '10.1.0.2')
    await clock.runFor(10)
    expect(a.known.size).toBe(1)
    await b.mdns.stop()
    await clock.runFor(10)
    expect(a.hints.at(-1)).toMatchObject({ peerId: b.peerId, gone: true })
    expect(a.known.size).toBe(0)
  })

  it('a node that vanished without a word is forgotten when its announcement ends', async () => {
    const { clock, a, b } = await couple()
    await clock.runFor(1_500)
    b.link.up = false
    await clock.runFor(118_000)
    expect(a.known.size).toBe(1)
    await clock.runFor(3_000)
    expect(a.known.size).toBe(0)
  })

  it('a node that stays is never forgotten, and is hinted again from time to time', async () => {
    const { clock, a } = await couple()
    await clock.runFor(600_000)
    expect(a.hints.filter((hint) => hint.gone)).toEqual([])
    expect(a.hints.length).toBeGreaterThan(5)
    expect(a.hints.length).toBeLessThan(30)
  })

  it('a new address replaces the old one within seconds, or at once when the node says so', async () => {
    const { clock, a, b } = await couple()
    await clock.runFor(10_000)
    b.addresses = [`/ip4/10.1.0.2/tcp/5005/p2p/${b.peerId}`]
    b.mdns.announce()
    await clock.runFor(2)
    expect(a.known.get(b.peerId)).toEqual(['/ip4/10.1.0.2/tcp/5005'])
    b.addresses = [`/ip4/10.1.0.2/tcp/6006/p2p/${b.peerId}`]
    await clock.runFor(2_100)
    expect(a.known.get(b.peerId)).toEqual(['/ip4/10.1.0.2/tcp/6006'])
  })

  it('a crash and a new start on the same address is news, although no goodbye came', async () => {
    const { clock, segment, a, b } = await couple()
    await clock.runFor(10_000)
    b.link.up = false
    const again = new TestNode(segment, 1)
    again.link.address = '10.1.0.2'
    const seen = a.hints.length
    // Another stream of chance, as in another process.
    const reborn = createMdns({
      peerId: again.peerId,
      addresses: () => again.addresses,
      serviceTag: TAG,
      clock,
      random: seededRandom('reborn'),
      link: again.link
    })
    await reborn.start({ onHint: () => undefined, onAlarm: () => undefined })
    await clock.runFor(2)
    expect(a.hints.slice(seen).map((hint) => hint.gone ?? false)).toEqual([true, false])
  })
})

describe('watchdog', () => {
  it('says within a second that multicast is blocked, and later that it works again', async () => {
    const { clock, segment } = world()
    segment.multicastWorks = false
    const node = new TestNode(segment, 0)
    await node.start()
    await clock.runFor(900)
    expect(node.alarms).toEqual([])
    await clock.runFor(200)
    expect(node.alarms.map(({ code }) => code)).toEqual(['multicast-blocked'])
    expect(node.alarms[0]!.detail).toContain('eth0')
    expect(node.link.rejoins).toBeGreaterThan(0)
    await clock.runFor(60_000)
    segment.multicastWorks = true
    await clock.runFor(15_000)
    expect(node.alarms.map(({ code }) => code)).toEqual(['multicast-blocked', 'multicast-restored'])
  })

  it('names what the system answered when sending is refused', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    node.link.sendError = new Error('send ENETUNREACH 224.0.0.251:5353')
    await node.start()
    await clock.runFor(1_500)
    expect(node.alarms[0]!.detail).toContain('ENETUNREACH')
  })

  it('keeps quiet about single losses', async () => {
    const { clock, segment } = world({ lossRate: 0.1 })
    const nodes = [0, 1, 2].map((i) => new TestNode(segment, i))
    for (const node of nodes) await node.start()
    await clock.runFor(120_000)
    expect(nodes.flatMap((node) => node.alarms).length).toBeLessThanOrEqual(2)
  })

  it('goes on when timers fire a hair early, as those of the system do', async () => {
    class HastyClock extends VirtualClock {
      #count = 0
      override setTimer(delayMs: number, fn: () => void): ReturnType<VirtualClock['setTimer']> {
        this.#count += 1
        return super.setTimer(this.#count % 2 === 0 ? delayMs - 0.4 : delayMs, fn)
      }
    }
    const clock = new HastyClock()
    const segment = new Segment({ clock })
    segment.multicastWorks = false
    const nodes = [0, 1, 2].map((i) => new TestNode(segment, i))
    for (const node of nodes) await node.start()
    await clock.runFor(1_500)
    expect(nodes.map((node) => node.alarms.length)).toEqual([1, 1, 1])
    segment.multicastWorks = true
    await clock.runFor(15_000)
    expect(nodes.map((node) => node.alarms.length)).toEqual([2, 2, 2])
    const before = segment.packets
    await clock.runFor(60_000)
    expect(segment.packets).toBeGreaterThan(before)
  })

  it('opens the port later when it is taken at first, and says both', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    node.link.openError = new Error('bind EADDRINUSE 0.0.0.0:5353')
    await node.start()
    expect(node.alarms[0]).toMatchObject({ code: 'multicast-blocked' })
    expect(node.alarms[0]!.detail).toContain('EADDRINUSE')
    node.link.openError = undefined
    const other = new TestNode(segment, 1)
    await other.start()
    await clock.runFor(5_000)
    expect(node.alarms.at(-1)).toMatchObject({ code: 'multicast-restored' })
    expect(node.known.size).toBe(1)
  })

  it('an interface that goes and comes back is spoken on again, with its new address', async () => {
    const { clock, a, b } = await couple()
    await clock.runFor(10_000)
    b.link.up = false
    await clock.runFor(5_000)
    expect(b.known.size).toBe(0)
    expect(b.alarms.at(-1)).toMatchObject({ code: 'multicast-blocked' })
    b.link.up = true
    b.link.address = '10.1.7.7'
    b.addresses = [`/ip4/10.1.7.7/tcp/4001/p2p/${b.peerId}`]
    await clock.runFor(2_100)
    expect(b.known.size).toBe(1)
    expect(b.alarms.at(-1)).toMatchObject({ code: 'multicast-restored' })
    expect(a.known.get(b.peerId)).toContain('/ip4/10.1.7.7/tcp/4001')
  })
})

describe('what strangers send', () => {
  it('thousands of names fill the book to its cap, and known peers stay', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0, { peersMax: 50, newPeersBurst: 60, newPeersPerSecond: 10 })
    const friend = new TestNode(segment, 1)
    await node.start()
    await friend.start()
    await clock.runFor(100)
    for (const [i, peerId] of peerIds.slice(2).entries())
      segment.inject(announcement(peerId, `/ip4/10.1.9.9/tcp/${i + 1}`), '10.1.9.9')
    await clock.runFor(1_000)
    expect(node.known.size).toBeLessThanOrEqual(50)
    expect(node.known.has(friend.peerId)).toBe(true)
    // The book is full of one stranger's names; a newcomer from elsewhere still gets in.
    await clock.runFor(3_000)
    const late = new TestNode(segment, 119)
    await late.start()
    await clock.runFor(2_000)
    expect(node.known.has(late.peerId)).toBe(true)
    expect(node.known.has(friend.peerId)).toBe(true)
    expect(node.known.size).toBeLessThanOrEqual(50)
  })

  it('a hundred addresses become six, loopback and nonsense are dropped, and the true ones stay among them', async () => {
    const { clock, segment } = world()
    const [node, friend] = [new TestNode(segment, 0), new TestNode(segment, 1)]
    await node.start()
    await friend.start()
    await clock.runFor(100)
    const bogus = Array.from({ length: 100 }, (_, i) => `/ip4/10.1.200.${i}/tcp/${i + 1}`)
    for (let i = 0; i < 100; i += 10)
      segment.inject(announcement(friend.peerId, ...bogus.slice(i, i + 10)), `10.1.99.${i + 1}`)
    segment.inject(announcement(peerIds[5]!, '/ip4/127.0.0.1/tcp/22', '/ip4/0.0.0.0/tcp/22'), '10.1.0.77')
    segment.inject(announcement(peerIds[6]!, ...bogus), '10.1.0.78')
    await clock.runFor(10)
    expect(node.known.get(friend.peerId)!.length).toBeLessThanOrEqual(6)
    await clock.runFor(30_000)
    expect(node.known.get(friend.peerId)).toContain('/ip4/10.1.0.2/tcp/4001')
    expect(node.known.has(peerIds[5]!)).toBe(false)
    expect(node.known.get(peerIds[6]!)?.length ?? 0).toBeLessThanOrEqual(6)
  })

  it('packets from off the link, and responses from another port, are not heard', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    await node.start()
    segment.inject(announcement(peerIds[5]!, '/ip4/10.1.0.6/tcp/1'), '192.0.2.7')
    segment.inject(announcement(peerIds[6]!, '/ip4/10.1.0.6/tcp/1'), '10.1.0.6', 40_000)
    await clock.runFor(1_000)
    expect(node.hints).toEqual([])
  })

  it('records that contradict each other are not mixed: one PeerId per announcement', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    await node.start()
    const mixed = writeAnnouncement(TAG, 'mixed', [
      `/ip4/10.1.0.6/tcp/1/p2p/${peerIds[5]}`,
      `/ip4/10.1.0.6/tcp/2/p2p/${peerIds[6]}`,
      `/ip4/10.1.0.6/tcp/3/p2p/${peerIds[0]}`
    ])
    segment.inject(response(mixed), '10.1.0.6')
    await clock.runFor(1_000)
    expect([...node.known]).toEqual([[peerIds[5], ['/ip4/10.1.0.6/tcp/1']]])
  })

  it('an announcement of our own PeerId by somebody else is not a hint', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    await node.start()
    segment.inject(announcement(node.peerId, '/ip4/10.1.0.6/tcp/1'), '10.1.0.6')
    await clock.runFor(1_000)
    expect(node.hints).toEqual([])
  })

  it('a huge text, a huge packet and a million announced records are not decoded into anything', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    await node.start()
    const many = Buffer.alloc(12)
    many.writeUInt16BE(0x8400, 2)
    many.writeUInt16BE(65_535, 6)
    segment.inject(many, '10.1.0.6')
    segment.inject(new Uint8Array(65_000), '10.1.0.6')
    const huge = Array.from({ length: 30 }, () => Buffer.alloc(255, 'x'))
    segment.inject(
      response([
        { name: TAG, type: 'PTR', data: `i.${TAG}` },
        { name: `i.${TAG}`, type: 'TXT', data: huge }
      ]),
      '10.1.0.6'
    )
    await clock.runFor(1_000)
    expect(node.hints).toEqual([])
  })

  it('questions without end get no more answers than the link can bear', async () => {
    const { clock, segment } = world()
    const node = new TestNode(segment, 0)
    await node.start()
    await clock.runFor(5_000)
    const question = dns.encode({ type: 'query', questions: [{ name: TAG, type: 'PTR' }] })
    for (let i = 0; i < 5_000; i++) segment.inject(question, '10.1.0.66')
    const before = segment.packets
    await clock.runFor(1_000)
    expect(segment.packets - before).toBeLessThan(55)
  })

  it('no bytes at all make it throw, and afterwards it still works', async () => {
    const valid = announcement(peerIds[5]!, '/ip4/10.1.0.6/tcp/4001')
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 600 }),
            fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
              const flipped = Uint8Array.from(valid)
              flipped[at] = byte
              return flipped
            }),
            fc.nat({ max: valid.length }).map((length) => valid.slice(0, length))
          ),
          { maxLength: 20 }
        ),
        async (packets) => {
          const { clock, segment } = world()
          const [node, friend] = [new TestNode(segment, 0), new TestNode(segment, 1)]
          await node.start()
          for (const bytes of packets) segment.inject(bytes, '10.1.0.6')
          await clock.runFor(100)
          await friend.start()
          await clock.runFor(2_000)
          expect(node.known.has(friend.peerId)).toBe(true)
          for (const addresses of node.known.values()) expect(addresses.length).toBeLessThanOrEqual(6)
          await node.mdns.stop()
          await friend.mdns.stop()
        }
      ),
      { numRuns: 150 }
    )
  })
})
