/**
 * Who was heard on the link, with what addresses, until when. Pure.
 *
 * A *voice* is one source address on one interface that speaks for a PeerId. A new announcement of a voice replaces its
 * older one; a different voice for the same PeerId is kept beside it and not believed instead of it, because a
 * forger can speak for anybody but, this way, silence nobody. All of it is capped: voices, addresses, peers, and the rate of
 * new peers; when the book is full, the source that fills it most pays for the newcomer.
 */
import { interleave } from '../address.ts'
import type { TcpAddress } from '../address.ts'
import type { PeerHint } from '../port.ts'
import { createTokenBucket } from '../token-bucket.ts'
import type { TokenBucket } from '../token-bucket.ts'
import type { Announcement } from './records.ts'

export interface AddressBookInit {
  readonly peersMax: number
  readonly addressesPerPeerMax: number
  readonly newPeersBurst: number
  readonly newPeersPerSecond: number
}

export const defaultAddressBook: AddressBookInit = {
  peersMax: 512,
  addressesPerPeerMax: 6,
  // A whole cluster may be switched on at once.
  newPeersBurst: 256,
  newPeersPerSecond: 50
}

/** Where an announcement came from. */
export interface HeardFrom {
  readonly interfaceName: string
  readonly source: string
}

interface Voice extends HeardFrom {
  readonly instance: string
  readonly addresses: readonly string[]
  readonly heardAt: number
  readonly ttlMs: number
}

interface Entry {
  readonly peerId: string
  /** By interface and source, at most `VOICES_MAX`. */
  readonly voices: Map<string, Voice>
  hintedAt: number
  hinted: readonly string[]
}

const VOICES_MAX = 4
/** Somebody else's announcement never lives longer than this, whatever it says. */
const TTL_MS_MAX = 120_000
/** An unchanged peer is hinted again so often: it says that the peer is alive. */
const REFRESH_MS = 30_000

export class AddressBook {
  readonly #init: AddressBookInit
  readonly #newPeers: TokenBucket
  readonly #entries = new Map<string, Entry>()
  readonly #peerOfInstance = new Map<string, string>()
  #expiryAt = Infinity

  constructor(init: Partial<AddressBookInit> = {}) {
    this.#init = { ...defaultAddressBook, ...init }
    this.#newPeers = createTokenBucket(this.#init.newPeersBurst, this.#init.newPeersPerSecond)
  }

  get size(): number {
    return this.#entries.size
  }

  knows(instance: string): boolean {
    return this.#peerOfInstance.has(instance)
  }

  /** What the announcement changes, as hints. */
  hear(announcement: Announcement, from: HeardFrom, now: number): PeerHint[] {
    const { peerId, instance } = announcement
    const hints: PeerHint[] = []
    const entry = this.#entries.get(peerId) ?? this.#admit(peerId, from.source, hints, now)
    if (entry === undefined) return hints
    const key = voiceKey(from)
    const before = entry.voices.get(key)
    const addresses = announcement.addresses
      .slice(0, this.#init.addressesPerPeerMax)
      .map((address: TcpAddress) => address.text)
    const ttlMs = Math.min(TTL_MS_MAX, announcement.ttlS * 1_000)
    this.#forget(entry, key)
    entry.voices.set(key, { ...from, instance, addresses, heardAt: now, ttlMs })
    this.#expiryAt = Math.min(this.#expiryAt, now + ttlMs)
    this.#peerOfInstance.set(instance, peerId)
    this.#dropOldestVoices(entry)
    // The same voice under a new name: that process has restarted or moved, and what failed before may work now.
    if (before !== undefined && before.instance !== instance) hints.push(goneHint(peerId))
    this.#hint(
      entry,
      hints.some((hint) => hint.gone === true && hint.peerId === peerId),
      hints,
      now
    )
    return hints
  }

  /** Only the voice that announced an instance can take it back. */
  goodbye(instance: string, from: HeardFrom, now: number): PeerHint[] {
    const peerId = this.#peerOfInstance.get(instance)
    const entry = peerId === undefined ? undefined : this.#entries.get(peerId)
    const key = voiceKey(from)
    if (entry?.voices.get(key)?.instance !== instance) return []
    this.#forget(entry, key)
    return this.#afterLoss(entry, now)
  }

  /** Drops what is over. */
  expire(now: number): PeerHint[] {
    if (now < this.#expiryAt) return []
    const hints = this.#dropVoices((voice) => voice.heardAt + voice.ttlMs <= now, now)
    this.#expiryAt = Infinity
    for (const entry of this.#entries.values()) {
      for (const voice of entry.voices.values()) this.#expiryAt = Math.min(this.#expiryAt, voice.heardAt + voice.ttlMs)
    }
    return hints
  }

  /** The interface is gone, and with it everybody who was heard there only. */
  forgetInterface(interfaceName: string, now: number): PeerHint[] {
    return this.#dropVoices((voice) => voice.interfaceName === interfaceName, now)
  }

  /** When to call `expire` next; now and then too early, never too late. */
  nextExpiryAt(): number {
    return this.#expiryAt
  }

  /** Instances heard on this interface with more than half of their time left, and the seconds left: known answers. */
  knownAnswers(interfaceName: string, now: number): { readonly instance: string; readonly ttlS: number }[] {
    const known = []
    for (const entry of this.#entries.values()) {
      for (const voice of entry.voices.values()) {
        const leftMs = voice.heardAt + voice.ttlMs - now
        if (voice.interfaceName !== interfaceName || leftMs <= voice.ttlMs / 2) continue
        known.push({ instance: voice.instance, ttlS: Math.floor(leftMs / 1_000) })
      }
    }
    return known
  }

  #admit(peerId: string, source: string, hints: PeerHint[], now: number): Entry | undefined {
    if (!this.#newPeers.take(now)) return undefined
    if (this.#entries.size >= this.#init.peersMax && !this.#makeRoom(source, hints)) return undefined
    const entry: Entry = { peerId, voices: new Map(), hintedAt: -Infinity, hinted: [] }
    this.#entries.set(peerId, entry)
    return entry
  }

  /** The youngest peer of the source with the most peers goes, unless that is the newcomer's own. */
  #makeRoom(newcomer: string, hints: PeerHint[]): boolean {
    const counts = new Map<string, number>()
    for (const entry of this.#entries.values()) {
      for (const source of sourcesOf(entry)) counts.set(source, (counts.get(source) ?? 0) + 1)
    }
    const [busiest] = [...counts].toSorted(([, a], [, b]) => b - a)
    if (busiest === undefined || busiest[1] <= (counts.get(newcomer) ?? 0) + 1) return false
    const victim = [...this.#entries.values()].findLast((entry) => sourcesOf(entry).has(busiest[0]))
    if (victim === undefined) return false
    for (const key of victim.voices.keys()) this.#forget(victim, key)
    this.#entries.delete(victim.peerId)
    hints.push(goneHint(victim.peerId))
    return true
  }

  #dropVoices(over: (voice: Voice) => boolean, now: number): PeerHint[] {
    const hints: PeerHint[] = []
    for (const entry of this.#entries.values()) {
      const keys = [...entry.voices].filter(([, voice]) => over(voice)).map(([key]) => key)
      if (keys.length === 0) continue
      for (const key of keys) this.#forget(entry, key)
      hints.push(...this.#afterLoss(entry, now))
    }
    return hints
  }

  #dropOldestVoices(entry: Entry): void {
    for (const key of entry.voices.keys()) {
      if (entry.voices.size <= VOICES_MAX) return
      this.#forget(entry, key)
    }
  }

  #forget(entry: Entry, key: string): void {
    const voice = entry.voices.get(key)
    if (voice === undefined) return
    entry.voices.delete(key)
    const stillSaid = [...entry.voices.values()].some((other) => other.instance === voice.instance)
    if (!stillSaid) this.#peerOfInstance.delete(voice.instance)
  }

  #afterLoss(entry: Entry, now: number): PeerHint[] {
    if (entry.voices.size === 0) {
      this.#entries.delete(entry.peerId)
      return [goneHint(entry.peerId)]
    }
    const hints: PeerHint[] = []
    this.#hint(entry, false, hints, now)
    return hints
  }

  #hint(entry: Entry, anyway: boolean, hints: PeerHint[], now: number): void {
    const freshestFirst = [...entry.voices.values()].toSorted((a, b) => b.heardAt - a.heardAt)
    const addresses = interleave(
      freshestFirst.map((voice) => voice.addresses),
      this.#init.addressesPerPeerMax
    )
    const isNews = !sameSet(addresses, entry.hinted) || now - entry.hintedAt >= REFRESH_MS
    if (addresses.length === 0 || !(anyway || isNews)) return
    entry.hinted = addresses
    entry.hintedAt = now
    hints.push({ source: 'mdns', peerId: entry.peerId, addresses })
  }
}

const voiceKey = (from: HeardFrom): string => `${from.interfaceName} ${from.source}`

const sourcesOf = (entry: Entry): Set<string> => new Set([...entry.voices.values()].map((voice) => voice.source))

const goneHint = (peerId: string): PeerHint => ({ source: 'mdns', peerId, addresses: [], gone: true })

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item) => b.includes(item))
