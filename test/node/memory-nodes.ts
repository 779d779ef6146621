/** Whole nodes in one process: the shipped node around a memory network and memory disks, with real documents and signatures. */
import { createPrivateKey, sign } from 'node:crypto'
import { type Clock, systemClock, type Timer } from '../../src/core/clock.ts'
import { toHex } from '../../src/core/bytes.ts'
import { secureBytes, seededRandom } from '../../src/core/random.ts'
import type { Discovery } from '../../src/discovery/port.ts'
import { type BootStatementInit, bootStatementToSign, sealBootStatement } from '../../src/identity/boot-statement.ts'
import { makeClaim } from '../../src/identity/claim.ts'
import { readPinnedGenesis, type VerifiedGenesis } from '../../src/identity/genesis.ts'
import type { LocalKey } from '../../src/identity/signer.ts'
import type { ParsedToken } from '../../src/identity/token.ts'
import { silentLogger } from '../../src/node/defaults.ts'
import type { Home } from '../../src/node/home.ts'
import { Node } from '../../src/node/node.ts'
import type { NodeParts } from '../../src/node/node-parts.ts'
import type { StampedNodeEvent } from '../../src/node/types.ts'
import { decodeHardState, VOTE_CELL } from '../../src/replica/durable.ts'
import { resolveSnapshots } from '../../src/replica/index.ts'
import { createMemoryDisk, createMemoryStorage, type MemoryDisk, type MemoryStorage } from '../../src/storage/memory.ts'
import type { StoreOwner } from '../../src/storage/port.ts'
import { MemoryHub } from '../../src/transport/memory.ts'
import type { Transport } from '../../src/transport/port.ts'
import { bytes16, CREATED_MS, keyOf, seatsGenesis, seatToken } from '../identity/fixtures.ts'

/** The system's clock, but for the date; it knows which timers are still set. */
export class WatchedClock implements Clock {
  readonly timers = new Set<object>()

  now(): number {
    return systemClock.now()
  }

  wallNow(): number {
    return CREATED_MS + 1_000 + systemClock.now()
  }

  setTimer(delayMs: number, fn: () => void): Timer {
    const mark = { fn }
    const timer = systemClock.setTimer(delayMs, () => {
      this.timers.delete(mark)
      fn()
    })
    this.timers.add(mark)
    return {
      cancel: () => {
        this.timers.delete(mark)
        timer.cancel()
      }
    }
  }

  afterIo(fn: () => void): void {
    systemClock.afterIo(fn)
  }
}

/** What a data directory would hold. */
export interface MemoryPlace {
  readonly name: string
  readonly key: LocalKey
  readonly token: ParsedToken
  readonly owner: StoreOwner
  readonly disk: MemoryDisk
  readonly claim: Uint8Array
  boot: number
  genesis: Uint8Array | undefined
  certificate: Uint8Array | undefined
}

export interface MemoryNode {
  readonly node: Node
  readonly clock: WatchedClock
  readonly storage: MemoryStorage
  readonly events: StampedNodeEvent[]
  readonly place: MemoryPlace
  /** What was closed, in order. */
  readonly closed: string[]
}

export interface MemoryNodeOptions {
  readonly parts?: Partial<NodeParts>
  readonly home?: Partial<Home>
  /** Instead of all the others. */
  readonly seeds?: readonly string[]
  readonly wrap?: (transport: Transport) => Transport
}

export class MemoryNodes {
  readonly hub = new MemoryHub()
  readonly places: readonly MemoryPlace[]
  readonly genesis: VerifiedGenesis
  readonly made: MemoryNode[] = []

  private constructor(genesis: VerifiedGenesis, places: readonly MemoryPlace[]) {
    this.genesis = genesis
    this.places = places
  }

  static async of(size: number): Promise<MemoryNodes> {
    const genesis = await seatsGenesis({ foundingSize: size })
    const places = await Promise.all(Array.from({ length: size }, (_, i) => makePlace(genesis, i + 1)))
    return new MemoryNodes(genesis, places)
  }

  /** A node of this place, not yet started. */
  make(place: MemoryPlace, options: MemoryNodeOptions = {}): MemoryNode {
    const clock = new WatchedClock()
    const storage = createMemoryStorage({ disk: place.disk, owner: place.owner })
    const closed: string[] = []
    const events = new EventTarget()
    const seen: StampedNodeEvent[] = []
    events.addEventListener('*', (event) => seen.push((event as CustomEvent<StampedNodeEvent>).detail))
    const home: Home = { ...homeOf(place, storage, clock, closed), ...options.home }
    const node = new Node({
      snapshots: resolveSnapshots(),
      home,
      clock,
      random: seededRandom(`${place.name} ${home.boot}`),
      logger: silentLogger,
      priority: 100,
      agent: 'test',
      events,
      timing: undefined,
      createTransport: (gate) => {
        const transport = this.hub.transport({ peerId: place.key.signer.peerId, gate })
        return Promise.resolve(options.wrap === undefined ? transport : options.wrap(transport))
      },
      createSources: () => Promise.resolve([this.#discovery(place, options.seeds)]),
      rememberPeer: () => {},
      ...options.parts
    })
    const made = { node, clock, storage, events: seen, place, closed }
    this.made.push(made)
    return made
  }

  async start(place: MemoryPlace, options: MemoryNodeOptions = {}): Promise<MemoryNode> {
    const made = this.make(place, options)
    await made.node.start()
    return made
  }

  startAll(): Promise<readonly MemoryNode[]> {
    return Promise.all(this.places.map((place) => this.start(place)))
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.made.map(({ node }) => node.stop()))
  }

  #discovery(place: MemoryPlace, seeds?: readonly string[]): Discovery {
    const others = seeds ?? this.places.filter((other) => other !== place).map(({ key }) => key.signer.peerId)
    return {
      start({ onHint }) {
        for (const peerId of others) onHint({ source: 'seed', peerId, addresses: [`/memory/${peerId}`] })
        return Promise.resolve()
      },
      stop: () => Promise.resolve()
    }
  }
}

async function makePlace(genesis: VerifiedGenesis, seat: number): Promise<MemoryPlace> {
  const name = `node ${seat}`
  const key = keyOf(name)
  const token = await seatToken(genesis, seat)
  const storeId = bytes16(`store of ${name}`)
  const claim = await makeClaim({
    node: key.signer,
    storeId,
    nonce: bytes16(`nonce of ${name}`),
    by: { type: 'token', token }
  })
  return {
    name,
    key,
    token,
    owner: { domainId: genesis.domainId, peerId: key.signer.peerId, storeId },
    disk: createMemoryDisk(),
    claim,
    boot: 0,
    genesis: genesis.bytes,
    certificate: undefined
  }
}

function homeOf(place: MemoryPlace, storage: MemoryStorage, clock: Clock, closed: string[]): Home {
  place.boot += 1
  const { owner, key, claim, boot, certificate } = place
  const bootNonce = secureBytes(16)
  const { domainId, storeId } = owner
  const vote = decodeHardState(storage.recovered.cells.get(VOTE_CELL))
  const lastIndex = storage.recovered.entries.at(-1)?.index ?? 0
  const life = { domainId, generation: 1, storeId, boot, bootNonce, sequence: 0, seen: undefined }
  const statement = { ...life, ...vote, lastIndex, commitIndex: 0 }
  return {
    path: `/memory/${toHex(owner.storeId)}`,
    startedAt: clock.now(),
    stages: [],
    key,
    domainId: owner.domainId,
    generation: 1,
    genesis: place.genesis === undefined ? undefined : readPinnedGenesis(place.genesis, owner.domainId),
    storeId: owner.storeId,
    storage,
    claim,
    boot,
    bootNonce,
    bootStatement: signStatement(key, statement),
    certificate,
    pathOf: (file) => file,
    keepGenesis: (bytes) => {
      place.genesis = bytes
      return Promise.resolve()
    },
    keepCertificate: (bytes) => {
      place.certificate = bytes
      return Promise.resolve()
    },
    async close() {
      closed.push('home')
      await storage.close()
    }
  }
}

/** Without a promise: a home is made at once. */
function signStatement({ signer, seed }: LocalKey, content: BootStatementInit): Uint8Array {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed.reveal()])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const signature = new Uint8Array(sign(null, bootStatementToSign(signer.publicKey, content), key))
  return sealBootStatement(signer.publicKey, content, signature)
}
