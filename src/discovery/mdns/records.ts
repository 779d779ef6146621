/**
 * The record format, written and read by @libp2p/mdns itself, so that a plain libp2p node with the same service tag finds
 * ours and we find it, today and after its next release.
 *
 * @libp2p/mdns exports a factory and nothing else, so one instance serves as a codec: it is never started (it would bind a
 * socket of its own, send by the default route alone, and join every interface); its `mdns` is replaced by an
 * object that catches the answer, and its two packet handlers are called with packets. See docs/decisions/0002.
 *
 * Around it, because its reader trusts what it reads: one announcement per instance of a packet, only addresses of our
 * grammar, only those that carry the PeerId of the first, capped; time to live and goodbyes, which it does not know.
 */
import { defaultLogger } from '@libp2p/logger'
import { mdns } from '@libp2p/mdns'
import type { MulticastDNSComponents } from '@libp2p/mdns'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerInfo } from '@libp2p/interface'
import type { Answer, DecodedPacket, StringAnswer } from 'dns-packet'
import { invariant } from '../../core/invariant.ts'
import { parseTcpAddress } from '../address.ts'
import type { TcpAddress } from '../address.ts'

export interface Announcement {
  /** The first label of the instance name: one version of one process' announcement. */
  readonly instance: string
  readonly peerId: string
  readonly addresses: readonly TcpAddress[]
  readonly ttlS: number
}

export type Reading =
  ({ readonly type: 'announcement' } & Announcement) | { readonly type: 'goodbye'; readonly instance: string }

/** libp2p's own figure. Receivers of @libp2p/mdns ignore it; ours do not. */
export const ANNOUNCEMENT_TTL_S = 120

const INSTANCES_PER_PACKET_MAX = 8
const TEXTS_PER_INSTANCE_MAX = 16
const TXT_BYTES_MAX = 255
const PARSED_MAX = 512
const TXT_PREFIX = 'dnsaddr='

/* oxlint-disable no-underscore-dangle -- the names of another library's members */

/** What is used of an instance that @libp2p/mdns makes. The names are public in its types, if not in its documents. */
interface BorrowedMdns extends EventTarget {
  mdns?: { respond(answers: Answer[]): void }
  _onMdnsQuery(packet: { questions: { name: string; type: string }[] }): void
  _onMdnsResponse(packet: { answers: Answer[]; additionals: Answer[] }): void
}

function borrow(serviceTag: string, instance: string, addresses: () => Multiaddr[]): BorrowedMdns {
  const components = { logger: defaultLogger(), addressManager: { getAddresses: addresses } }
  const borrowed = mdns({ serviceTag, peerName: instance })(
    components as unknown as MulticastDNSComponents
  ) as unknown as BorrowedMdns
  invariant(
    typeof borrowed._onMdnsQuery === 'function' && typeof borrowed._onMdnsResponse === 'function',
    'this release of @libp2p/mdns is built differently; 12.0.32 is the one that was tried'
  )
  return borrowed
}

/** PTR and TXT records that announce these addresses, each text ending in /p2p/<our PeerId>. */
export function writeAnnouncement(serviceTag: string, instance: string, addresses: readonly string[]): Answer[] {
  const fitting = addresses.filter((address) => TXT_PREFIX.length + address.length <= TXT_BYTES_MAX)
  const borrowed = borrow(serviceTag, instance, () => fitting.map((address) => multiaddr(address)))
  let answers: Answer[] = []
  borrowed.mdns = { respond: (written) => (answers = written) }
  borrowed._onMdnsQuery({ questions: [{ name: serviceTag, type: 'PTR' }] })
  // Its writer announces private addresses only; a LAN may well be numbered otherwise. The caller knows what is on the link.
  const written = new Set(answers.flatMap((answer) => (answer.type === 'TXT' ? String(answer.data) : [])))
  for (const address of fitting) {
    const data = TXT_PREFIX + address
    const name = `${instance}.${serviceTag}`
    if (!written.has(data)) answers.push({ name, type: 'TXT', class: 'IN', ttl: ANNOUNCEMENT_TTL_S, data })
  }
  return answers
}

/** A PTR record with time to live 0 (RFC 6762, 10.1), and no TXT: a plain libp2p node would take that for news. */
export const writeGoodbye = (serviceTag: string, instance: string): Answer[] => [writePointer(serviceTag, instance, 0)]

/** A PTR record alone: the form of a known answer in a query. */
export const writePointer = (serviceTag: string, instance: string, ttl: number): StringAnswer => ({
  name: serviceTag,
  type: 'PTR',
  class: 'IN',
  ttl,
  data: `${instance}.${serviceTag}`
})

/** Instances under our tag in a list of records, with their time to live; at most eight. */
export function readPointers(
  serviceTag: string,
  records: readonly Answer[]
): { readonly instance: string; readonly name: string; readonly ttl: number }[] {
  const suffix = `.${serviceTag}`
  const found = []
  for (const record of records) {
    if (record.type !== 'PTR' || !sameName(record.name, serviceTag) || typeof record.data !== 'string') continue
    const name = record.data
    if (!sameName(name.slice(-suffix.length), suffix) || name.length <= suffix.length) continue
    found.push({ instance: name.slice(0, -suffix.length), name, ttl: record.ttl ?? 0 })
  }
  return found
}

type Parsed = Pick<Announcement, 'peerId' | 'addresses'>

export interface AnnouncementReader {
  /** Everything that a response says under our tag. Never throws; what cannot be read is not there. */
  read(packet: DecodedPacket): Reading[]
}

export function createAnnouncementReader(serviceTag: string): AnnouncementReader {
  // Its own name never occurs on the wire: which announcements are ours is decided by PeerId.
  const borrowed = borrow(serviceTag, '-', () => [])
  let found: PeerInfo | undefined
  borrowed.addEventListener('peer', (event) => (found = (event as CustomEvent<PeerInfo>).detail))

  const parse = (instance: string, texts: readonly string[]): Parsed | undefined => {
    const name = `${instance}.${serviceTag}`
    found = undefined
    borrowed._onMdnsResponse({
      answers: [
        { name: serviceTag, type: 'PTR', data: name },
        { name, type: 'TXT', data: [...texts] }
      ],
      additionals: []
    })
    const peer = found as PeerInfo | undefined
    if (peer === undefined) return undefined
    const peerId = peer.id.toString()
    const addresses = texts
      .map((text) => parseTcpAddress(text.slice(TXT_PREFIX.length)))
      .filter((address) => address?.peerId === peerId) as TcpAddress[]
    return { peerId, addresses }
  }

  // Announcements are repeated far more often than they change, and reading multiaddrs is most of the work.
  const parsed = new Map<string, Parsed | undefined>()
  const parseOnce = (instance: string, texts: readonly string[]): Parsed | undefined => {
    const key = [instance, ...texts].join(' ')
    if (parsed.has(key)) return parsed.get(key)
    const fresh = parse(instance, texts)
    if (parsed.size >= PARSED_MAX) parsed.delete(parsed.keys().next().value!)
    parsed.set(key, fresh)
    return fresh
  }

  return {
    read(packet) {
      const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])]
      const readings: Reading[] = []
      for (const { instance, name, ttl } of readPointers(serviceTag, records).slice(0, INSTANCES_PER_PACKET_MAX)) {
        if (ttl === 0) {
          readings.push({ type: 'goodbye', instance })
          continue
        }
        const texts = readableTexts(name, records)
        const announced = texts.length === 0 ? undefined : parseOnce(instance, texts)
        if (announced !== undefined) readings.push({ type: 'announcement', instance, ttlS: ttl, ...announced })
      }
      return readings
    }
  }
}

/** The texts of this instance that are addresses of our grammar with a PeerId; the reader gets nothing else to see. */
function readableTexts(name: string, records: readonly Answer[]): string[] {
  const texts: string[] = []
  for (const record of records) {
    if (record.type !== 'TXT' || !sameName(record.name, name)) continue
    for (const item of Array.isArray(record.data) ? record.data : [record.data]) {
      const text = item.toString()
      if (!text.startsWith(TXT_PREFIX) || parseTcpAddress(text.slice(TXT_PREFIX.length))?.peerId === undefined) continue
      texts.push(text)
      if (texts.length === TEXTS_PER_INSTANCE_MAX) return texts
    }
  }
  return texts
}

/** DNS names compare without case (RFC 6762, 16). */
export const sameName = (a: string, b: string): boolean => a === b || a.toLowerCase() === b.toLowerCase()
