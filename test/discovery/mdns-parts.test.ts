import * as dns from 'dns-packet'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { isIp6, parseTcpAddress } from '../../src/discovery/address.ts'
import type { LinkInterface } from '../../src/discovery/mdns/link.ts'
import { decodePacket, encodeQuery, encodeResponse } from '../../src/discovery/mdns/packets.ts'
import { announcedOn, worthDialling } from '../../src/discovery/mdns/reachable.ts'
import {
  createAnnouncementReader,
  writeAnnouncement,
  writeGoodbye,
  writePointer
} from '../../src/discovery/mdns/records.ts'
import { serviceTagOf } from '../../src/discovery/mdns/service-tag.ts'
import { Station } from '../../src/discovery/mdns/station.ts'

const TAG = serviceTagOf('DEADbeef00')
const PEER = '12D3KooWJRSrypvnpHgc6ZAgyCni4KcSmbV7uGRaMw5LgMKT18fq'

describe('service tag', () => {
  it('is the first four bytes of the domainId, in 15 characters', () => {
    expect(TAG).toBe('_q-deadbeef._udp.local')
    expect(TAG.split('.')[0]!.length).toBeLessThanOrEqual(15)
    expect(() => serviceTagOf('xyz')).toThrow('domainId')
  })
})

describe('addresses', () => {
  it.each(['::', '::1', 'fe80::1', '2001:db8:0:0:0:0:0:1', '1:2:3:4:5:6:7::'])('%s is IPv6', (text) =>
    expect(isIp6(text)).toBe(true)
  )
  it.each(['', ':', ':::', '1::2::3', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7', 'g::', '12345::', '::1:2:3:4:5:6:7:8'])(
    '%s is not',
    (text) => expect(isIp6(text)).toBe(false)
  )
  it('have one canonical text', () => {
    expect(parseTcpAddress(`/dns4/Node-1/tcp/4001/ipfs/${PEER}`)).toEqual({
      text: '/dns4/node-1/tcp/4001',
      kind: 'dns4',
      host: 'node-1',
      port: 4001,
      peerId: PEER
    })
  })
})

const eth: LinkInterface = {
  name: 'eth0',
  address: '10.0.0.1',
  netmask: '255.255.255.0',
  loopback: false,
  hosts: ['10.0.0.1', 'fd00::1', 'fe80::1']
}
const lo: LinkInterface = {
  name: 'lo',
  address: '127.0.0.1',
  netmask: '255.0.0.0',
  loopback: true,
  hosts: ['127.0.0.1', '::1']
}

describe('what is announced', () => {
  const announced = (on: LinkInterface, ...addresses: string[]): string[] =>
    announcedOn(on, PEER, addresses).map((address) => address.replace(`/p2p/${PEER}`, ''))

  it('is what can be reached on that interface', () => {
    const all = [
      '/ip4/127.0.0.1/tcp/1',
      '/ip4/10.0.0.1/tcp/1',
      '/ip4/192.168.9.9/tcp/1',
      '/ip6/fd00::1/tcp/1',
      '/ip6/fe80::1/tcp/1',
      '/dns4/a/tcp/1',
      '/memory/x'
    ]
    expect(announced(eth, ...all)).toEqual(['/ip4/10.0.0.1/tcp/1', '/ip6/fd00::1/tcp/1'])
    expect(announced(lo, ...all)).toEqual(['/ip4/127.0.0.1/tcp/1'])
  })
  it('a wildcard stands for the addresses of the interface', () => {
    expect(announced(eth, '/ip4/0.0.0.0/tcp/1', '/ip6/::/tcp/1')).toEqual(['/ip4/10.0.0.1/tcp/1', '/ip6/fd00::1/tcp/1'])
    expect(announced(lo, '/ip4/0.0.0.0/tcp/1')).toEqual(['/ip4/127.0.0.1/tcp/1'])
  })
  it('on loopback, without a loopback address, is every address of the machine', () => {
    expect(announced(lo, '/ip4/10.0.0.1/tcp/1')).toEqual(['/ip4/10.0.0.1/tcp/1'])
    expect(announced(eth, '/ip4/127.0.0.1/tcp/1')).toEqual([])
  })
  it('is at most six', () => {
    expect(announced(eth, ...Array.from({ length: 20 }, (_, i) => `/ip4/10.0.0.1/tcp/${i + 1}`))).toHaveLength(6)
  })
})

describe('what is worth a dial', () => {
  const worth = (source: string, on: LinkInterface, ...addresses: string[]): string[] =>
    worthDialling(
      addresses.map((address) => parseTcpAddress(address)!),
      source,
      on
    ).map(({ text }) => text)

  it('addresses on the link, and others only when there are none', () => {
    expect(
      worth('10.0.0.2', eth, '/ip4/172.17.0.1/tcp/1', '/ip4/10.0.0.2/tcp/1', '/ip6/fd00::2/tcp/1', '/ip6/fe80::2/tcp/1')
    ).toEqual(['/ip4/10.0.0.2/tcp/1', '/ip6/fd00::2/tcp/1'])
    expect(worth('10.0.0.2', eth, '/ip4/172.17.0.1/tcp/1')).toEqual(['/ip4/172.17.0.1/tcp/1'])
  })
  it('loopback only from this machine; names and wildcards never', () => {
    expect(worth('10.0.0.2', eth, '/ip4/127.0.0.1/tcp/1', '/dns4/evil.example/tcp/80', '/ip4/0.0.0.0/tcp/1')).toEqual(
      []
    )
    expect(worth('10.0.0.1', eth, '/ip4/127.0.0.1/tcp/1')).toEqual(['/ip4/127.0.0.1/tcp/1'])
    expect(worth('127.0.0.1', lo, '/ip4/127.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/1')).toHaveLength(2)
  })
})

describe('packets', () => {
  const read = (bytes: Uint8Array): unknown => createAnnouncementReader(TAG).read(decodePacket(bytes)!)

  it('an announcement is read as it was written, through the wire', () => {
    const texts = [
      `/ip4/10.0.0.1/tcp/4001/p2p/${PEER}`,
      `/ip4/11.77.0.1/tcp/4001/p2p/${PEER}`,
      `/ip6/fd00::1/tcp/4001/p2p/${PEER}`
    ]
    const [reading] = read(encodeResponse(writeAnnouncement(TAG, 'abc', texts))) as [{ addresses: { text: string }[] }]
    expect(reading).toMatchObject({ type: 'announcement', instance: 'abc', peerId: PEER, ttlS: 120 })
    expect(reading.addresses.map(({ text }) => `${text}/p2p/${PEER}`).toSorted()).toEqual(texts.toSorted())
  })
  it('records in the additional section, in another case, and of several instances are read too', () => {
    const one = writeAnnouncement(TAG, 'one', [`/ip4/10.0.0.1/tcp/1/p2p/${PEER}`])
    const two = writeAnnouncement(TAG.toUpperCase(), 'Two', [`/ip4/10.0.0.2/tcp/2/p2p/${PEER}`])
    const bytes = dns.encode({ type: 'response', answers: [one[0]!, two[0]!], additionals: [two[1]!, one[1]!] })
    expect(read(bytes)).toMatchObject([
      { instance: 'one', addresses: [{ port: 1 }] },
      { instance: 'Two', addresses: [{ port: 2 }] }
    ])
  })
  it('a goodbye is one, and says nothing to a node that does not know goodbyes', () => {
    const answers = writeGoodbye(TAG, 'abc')
    expect(read(encodeResponse(answers))).toEqual([{ type: 'goodbye', instance: 'abc' }])
    expect(answers.some(({ type }) => type === 'TXT')).toBe(false)
  })
  it('with more records than any node of ours writes is not read, however small it is', () => {
    const pointers = (count: number): Uint8Array =>
      dns.encode({ type: 'response', answers: Array.from({ length: count }, () => writePointer('x', 'y', 1)) })
    expect(decodePacket(pointers(64))?.answers).toHaveLength(64)
    expect(decodePacket(pointers(65))).toBeUndefined()
    expect(decodePacket(new Uint8Array(11))).toBeUndefined()
    expect(decodePacket(new Uint8Array(9_001))).toBeUndefined()
  })
  it('a long list of known answers goes on in further packets, each within a frame', () => {
    const known = Array.from({ length: 100 }, (_, i) => writePointer(TAG, `instance${i}`, 99))
    const packets = encodeQuery(TAG, writePointer(TAG, 'self', 120), known)
    expect(packets.length).toBeGreaterThan(3)
    const seen = new Set<string>()
    for (const [i, bytes] of packets.entries()) {
      expect(bytes.byteLength).toBeLessThanOrEqual(1_400)
      const packet = decodePacket(bytes)!
      expect(packet.questions).toHaveLength(i === 0 ? 1 : 0)
      expect(packet.flag_tc).toBe(i < packets.length - 1)
      expect((packet.answers![0] as dns.StringAnswer).data).toBe(`self.${TAG}`)
      for (const answer of packet.answers!.slice(1)) seen.add((answer as dns.StringAnswer).data)
    }
    expect(seen.size).toBe(100)
  })
})

describe('station', () => {
  const run = (station: Station, from: number, to: number, echo = true): [number, string][] => {
    const log: [number, string][] = []
    for (let guard = 0; station.nextAt() <= to && guard < 10_000; guard++) {
      const now = Math.max(from, station.nextAt())
      for (const action of station.due(now)) {
        log.push([now, action])
        if (action === 'query' && echo) station.echoed()
      }
    }
    return log
  }
  const times = (log: [number, string][], what: string): number[] =>
    log.filter(([, action]) => action === what).map(([now]) => now)

  it('asks in a burst, then ever more rarely, with jitter, and announces four times', () => {
    const log = run(new Station({ random: seededRandom(1), now: 0 }), 0, 100_000)
    const queries = times(log, 'query')
    const gaps = queries.slice(1).map((time, i) => time - queries[i]!)
    for (const [i, nominal] of [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000].entries()) {
      expect(gaps[i]).toBeGreaterThanOrEqual(nominal * 0.8)
      expect(gaps[i]).toBeLessThanOrEqual(nominal * 1.2)
    }
    expect(times(log, 'answer')).toEqual([0, 250, 1_000, 3_000])
  })
  it('is spared by the queries of others, but not for ever', () => {
    const station = new Station({ random: seededRandom(1), now: 0 })
    run(station, 0, 60_000)
    const asked: number[] = []
    for (let now = 60_000; now < 200_000; now += 1_000) {
      station.spared(3, now)
      asked.push(...times(run(station, now, now), 'query'))
    }
    expect(asked.length).toBeGreaterThanOrEqual(2)
    expect(asked.length).toBeLessThanOrEqual(4)
  })
  it('answers at once in a small cluster, spread out in a large one, and merges what comes too fast', () => {
    const small = new Station({ random: seededRandom(1), now: 0 })
    run(small, 0, 5_000)
    small.asked('a', false, 2, 5_001)
    expect(small.nextAt()).toBe(5_001)
    const large = new Station({ random: seededRandom(1), now: 0 })
    run(large, 0, 5_000)
    const answers: number[] = []
    for (let now = 5_001; now < 15_001; now += 5) {
      large.asked(`asker${now}`, false, 100, now)
      answers.push(...times(run(large, now, now), 'answer'))
    }
    expect(answers.length).toBeGreaterThanOrEqual(8)
    expect(answers.length).toBeLessThanOrEqual(11)
  })
  it('does not answer when the rest of the list says that it is known', () => {
    const station = new Station({ random: seededRandom(1), now: 0 })
    run(station, 0, 5_000)
    station.asked('a', true, 20, 5_000)
    station.satisfied('a')
    expect(times(run(station, 5_000, 6_000), 'answer')).toEqual([])
    station.asked('a', true, 20, 6_000)
    station.asked('b', false, 20, 6_000)
    station.satisfied('a')
    expect(times(run(station, 6_000, 7_000), 'answer')).toHaveLength(1)
  })
  it('does not cry wolf when its own process was stopped', () => {
    const station = new Station({ random: seededRandom(1), now: 0 })
    station.due(0)
    // Nothing ran for a minute; the echo is in the socket, but has not been read.
    expect(station.due(60_000)).not.toContain('blocked')
    station.echoed()
    expect(times(run(station, 60_000, 60_500), 'blocked')).toEqual([])
    const deaf = new Station({ random: seededRandom(1), now: 0 })
    expect(times(run(deaf, 0, 60_000, false), 'blocked')).toEqual([1_000])
  })
})
