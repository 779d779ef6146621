/**
 * The peers that this node has been connected to, in a small JSON file of its data directory, so that a restart needs
 * neither mDNS nor seeds. It is a cache: hints like all others, nothing is lost with it, and a damaged file is
 * put aside with a log line.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import type { Clock, Timer } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { cleanAddresses } from './dial-targets.ts'
import type { Discovery, DiscoveryEvents } from './port.ts'

export interface CachedPeer {
  readonly peerId: string
  readonly addresses: readonly string[]
}

export interface PeerCacheInit {
  readonly path: string
  readonly clock: Clock
  readonly logger?: { warn(details: object, message: string): void }
}

export interface PeerCache extends Discovery {
  /** This peer was connected and can be dialled there. Written to disk soon after, and at `stop`. */
  remember(peer: CachedPeer): void
  /** This peer is no longer a member. */
  forget(peerId: string): void
}

interface Remembered extends CachedPeer {
  /** Wall time, for people and for ageing over months; a jump of the clock costs at most the cache. */
  readonly lastSeenWallMs: number
}

const VERSION = 1
const PEERS_MAX = 128
const ADDRESSES_MAX = 8
const PEER_ID_LENGTH_MAX = 128
const FILE_BYTES_MAX = 1 << 20
const AGE_MS_MAX = 90 * 86_400_000
const WRITE_AFTER_MS = 1_000
/** Being seen again at the same addresses is not worth a write more often than this. */
const SEEN_AGAIN_MS = 3_600_000

export const createPeerCache = (init: PeerCacheInit): PeerCache => new FilePeerCache(init)

class FilePeerCache implements PeerCache {
  readonly #init: PeerCacheInit
  /** Least recently seen first. */
  #peers = new Map<string, Remembered>()
  #isDirty = false
  #timer: Timer | undefined
  #writing: Promise<void> = Promise.resolve()
  #started = false

  constructor(init: PeerCacheInit) {
    this.#init = init
  }

  async start(events: DiscoveryEvents): Promise<void> {
    if (this.#started) return
    this.#started = true
    const stored = await this.#read()
    // What was remembered while the file was being read is newer.
    for (const peer of this.#peers.values()) stored.set(peer.peerId, peer)
    this.#peers = stored
    const freshestFirst = [...stored.values()].toReversed()
    for (const { peerId, addresses } of freshestFirst) events.onHint({ source: 'cache', peerId, addresses })
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#started = false
    this.#write()
    await this.#writing
  }

  remember(peer: CachedPeer): void {
    const addresses = cleanAddresses(peer.addresses, ADDRESSES_MAX)
    if (addresses.length === 0 || !isPeerId(peer.peerId)) return
    const before = this.#peers.get(peer.peerId)
    const lastSeenWallMs = this.#init.clock.wallNow()
    this.#peers.delete(peer.peerId)
    this.#peers.set(peer.peerId, { peerId: peer.peerId, addresses, lastSeenWallMs })
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= PEERS_MAX) break
      this.#peers.delete(oldest)
    }
    const isNews =
      before === undefined ||
      before.addresses.join() !== addresses.join() ||
      Math.abs(lastSeenWallMs - before.lastSeenWallMs) >= SEEN_AGAIN_MS
    if (isNews) this.#changed()
  }

  forget(peerId: string): void {
    if (this.#peers.delete(peerId)) this.#changed()
  }

  #changed(): void {
    this.#isDirty = true
    this.#timer ??= this.#init.clock.setTimer(WRITE_AFTER_MS, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  #write(): void {
    if (!this.#isDirty) return
    this.#isDirty = false
    const text = `${JSON.stringify({ version: VERSION, peers: [...this.#peers.values()] }, undefined, 2)}\n`
    this.#writing = this.#writing.then(() => this.#replace(text))
  }

  /** Whole or not at all, by rename; without sync, because a cache may be lost. */
  async #replace(text: string): Promise<void> {
    const temporary = `${this.#init.path}.tmp`
    try {
      await writeFile(temporary, text, { mode: 0o600 })
      await rename(temporary, this.#init.path)
    } catch (error) {
      this.#init.logger?.warn({ path: this.#init.path, error: messageOf(error) }, 'the peer cache could not be written')
      await rm(temporary, { force: true }).catch(() => undefined)
    }
  }

  async #read(): Promise<Map<string, Remembered>> {
    const { path, clock, logger } = this.#init
    try {
      const text = await readFile(path, 'utf8')
      if (text.length > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`)
      return parse(JSON.parse(text), clock.wallNow())
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        logger?.warn({ path, error: messageOf(error) }, 'the peer cache cannot be read and is ignored')
      }
      return new Map()
    }
  }
}

function parse(value: unknown, wallNow: number): Map<string, Remembered> {
  const file = value as { version?: unknown; peers?: unknown } | null
  if (file?.version !== VERSION || !Array.isArray(file.peers)) throw new Error('not a peer cache of this version')
  const peers: Remembered[] = []
  for (const item of file.peers.slice(0, PEERS_MAX) as unknown[]) {
    const { peerId, addresses, lastSeenWallMs } = (item ?? {}) as Record<string, unknown>
    if (!isPeerId(peerId) || !Array.isArray(addresses) || typeof lastSeenWallMs !== 'number') continue
    const clean = cleanAddresses(addresses as string[], ADDRESSES_MAX)
    if (clean.length === 0 || wallNow - lastSeenWallMs > AGE_MS_MAX) continue
    peers.push({ peerId, addresses: clean, lastSeenWallMs: Math.min(lastSeenWallMs, wallNow) })
  }
  return new Map(peers.toSorted((a, b) => a.lastSeenWallMs - b.lastSeenWallMs).map((peer) => [peer.peerId, peer]))
}

const isPeerId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= PEER_ID_LENGTH_MAX
