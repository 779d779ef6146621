/**
 * mDNS with real sockets on the loopback interface, which takes no rights and never leaves the machine. Loopback often lacks
 * the MULTICAST flag and carries multicast all the same, when the interface is chosen by address.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import * as dns from 'dns-packet'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { seededRandom, systemRandom } from '../../src/core/random.ts'
import { createMdns } from '../../src/discovery/mdns/index.ts'
import type { Mdns } from '../../src/discovery/mdns/index.ts'
import { writeAnnouncement } from '../../src/discovery/mdns/records.ts'
import type { DiscoveryAlarm, PeerHint } from '../../src/discovery/port.ts'
import { freshTag, MdnsProcess } from './mdns-process.ts'

const loopback = Object.entries(networkInterfaces()).find(([, infos]) =>
  infos?.some(({ internal, family }) => internal && family === 'IPv4')
)?.[0]
if (loopback === undefined) process.stderr.write('skipped: mDNS on loopback: there is no loopback interface\n')

const peerIdOf = async (n: number): Promise<string> => {
  const seed = new Uint8Array(32)
  new DataView(seed.buffer).setUint32(4, n + 1)
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString()
}

class Node {
  readonly peerId: string
  readonly mdns: Mdns
  readonly known = new Map<string, readonly string[]>()
  readonly alarms: DiscoveryAlarm[] = []
  hints = 0
  readonly #changed = new Set<() => void>()

  constructor(peerId: string, tag: string, port: number, interfaces: readonly string[] = [loopback!]) {
    this.peerId = peerId
    this.mdns = createMdns({
      peerId,
      addresses: () => [`/ip4/127.0.0.1/tcp/${port}`],
      serviceTag: tag,
      clock: systemClock,
      random: systemRandom(),
      interfaces
    })
  }

  async start(): Promise<this> {
    await this.mdns.start({
      onHint: (hint) => this.#onHint(hint),
      onAlarm: (alarm) => {
        this.alarms.push(alarm)
        this.#wake()
      }
    })
    return this
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#changed.add(resolve)
      })
    }
  }

  #onHint(hint: PeerHint): void {
    this.hints += 1
    if (hint.gone === true) this.known.delete(hint.peerId!)
    else this.known.set(hint.peerId!, hint.addresses)
    this.#wake()
  }

  #wake(): void {
    const waiting = [...this.#changed]
    this.#changed.clear()
    for (const resolve of waiting) resolve()
  }
}

let nodes: Node[] = []
let children: MdnsProcess[] = []
let sockets: Socket[] = []

const node = async (n: number, tag: string, interfaces?: readonly string[]): Promise<Node> => {
  const made = new Node(await peerIdOf(n), tag, 4_100 + n, interfaces)
  nodes.push(made)
  return made.start()
}

/** Somebody on this link who sends what it likes. */
const stranger = async (): Promise<(bytes: Uint8Array) => Promise<void>> => {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  sockets.push(socket)
  await new Promise<void>((resolve) => {
    socket.bind({ port: 5353, exclusive: true }, resolve)
  })
  socket.setMulticastInterface('127.0.0.1')
  return (bytes) =>
    new Promise((resolve, reject) => {
      socket.send(bytes, 5353, '224.0.0.251', (error) => (error === null ? resolve() : reject(error)))
    })
}

afterEach(async () => {
  await Promise.all(nodes.map(({ mdns }) => mdns.stop()))
  await Promise.all(children.map((child) => child.kill()))
  for (const socket of sockets) socket.close()
  nodes = []
  children = []
  sockets = []
})

describe.skipIf(loopback === undefined)('on loopback', () => {
  it('two nodes find each other, and one hears the other go', async () => {
    const tag = freshTag()
    const [a, b] = [await node(0, tag), await node(1, tag)]
    await Promise.all([a.until(() => a.known.has(b.peerId)), b.until(() => b.known.has(a.peerId))])
    expect(a.known.get(b.peerId)).toEqual(['/ip4/127.0.0.1/tcp/4101'])
    await b.mdns.stop()
    await a.until(() => !a.known.has(b.peerId))
    expect([...a.alarms, ...b.alarms]).toEqual([])
  })

  it('five nodes in one process find each other, started together', async () => {
    const tag = freshTag()
    const five = await Promise.all([0, 1, 2, 3, 4].map((n) => node(n, tag)))
    await Promise.all(five.map((each) => each.until(() => each.known.size === 4)))
    expect(five.flatMap(({ alarms }) => alarms)).toEqual([])
  })

  it('stopping is idempotent, and a node can be started again', async () => {
    const tag = freshTag()
    const [a, b] = [await node(0, tag), await node(1, tag)]
    await a.until(() => a.known.has(b.peerId))
    await b.mdns.stop()
    await b.mdns.stop()
    await a.until(() => a.known.size === 0)
    await b.start()
    await a.until(() => a.known.has(b.peerId))
  })

  it('a process that is killed and comes back on another port is found there', async () => {
    const tag = freshTag()
    const a = await node(0, tag)
    const first = new MdnsProcess({ seed: 7, tag, port: 4_201, interfaces: [loopback!] })
    children.push(first)
    await a.until(() => a.known.size === 1)
    await first.kill()
    const second = new MdnsProcess({ seed: 7, tag, port: 4_202, interfaces: [loopback!] })
    children.push(second)
    await second.started()
    await a.until(() => a.known.get(second.peerId)?.includes('/ip4/127.0.0.1/tcp/4202') === true)
    expect(a.known.get(second.peerId)).toEqual(['/ip4/127.0.0.1/tcp/4202'])
    await second.until('it finds us', () => second.known.has(a.peerId))
  })

  it('an interface that does not exist is named, with what to do instead', async () => {
    const lost = await node(0, freshTag(), ['nosuch0'])
    await lost.until(() => lost.alarms.length > 0)
    expect(lost.alarms[0]!.code).toBe('multicast-blocked')
    expect(lost.alarms[0]!.detail).toContain('nosuch0')
    expect(lost.alarms[0]!.detail).toContain('seeds')
  })

  it('garbage, thousands of names, a hundred addresses and huge texts do no harm', async () => {
    const tag = freshTag()
    const a = await node(0, tag)
    const send = await stranger()
    const random = seededRandom('forged')
    const respond = (answers: dns.Answer[]): Promise<void> =>
      send(dns.encode({ type: 'response', flags: dns.AUTHORITATIVE_ANSWER, answers }))
    for (let i = 0; i < 500; i++) await send(Uint8Array.from({ length: random.int(0, 300) }, () => random.int(0, 255)))
    const liars = await Promise.all(Array.from({ length: 300 }, (_, i) => peerIdOf(1_000 + i)))
    for (let i = 0; i < 2_000; i++) {
      const liar = liars[i % liars.length]!
      const addresses = Array.from(
        { length: 10 },
        (_unused, j) => `/ip4/127.0.0.1/tcp/${1 + ((i * 10 + j) % 60_000)}/p2p/${liar}`
      )
      await respond(writeAnnouncement(tag, `liar${i}`, addresses))
    }
    await respond(
      writeAnnouncement(
        tag,
        'many',
        Array.from({ length: 100 }, (_, j) => `/ip4/127.0.0.1/tcp/${j + 1}/p2p/${liars[0]}`)
      )
    )
    await respond([
      { name: tag, type: 'PTR', data: `huge.${tag}` },
      { name: `huge.${tag}`, type: 'TXT', data: Array.from({ length: 30 }, () => Buffer.alloc(255, 'dnsaddr=/ip4/')) }
    ])
    const friend = await node(1, tag)
    await a.until(() => a.known.has(friend.peerId))
    await friend.until(() => friend.known.has(a.peerId))
    expect(a.known.size).toBeLessThanOrEqual(512)
    for (const addresses of a.known.values()) expect(addresses.length).toBeLessThanOrEqual(6)
    expect(a.alarms).toEqual([])
  })
})
