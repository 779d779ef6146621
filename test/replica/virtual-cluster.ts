/**
 * Several replicas in virtual time: a heap of events, a network that delays and can be cut, disks that lose what was not
 * synced. Everything else is the shipped code. Real signatures are replaced by arithmetic; every run is a function of its seed.
 */
import { fromUtf8, utf8 } from '../../src/core/bytes.ts'
import { PRIORITY_DEFAULT } from '../../src/core/priority.ts'
import { sha256 } from '../../src/core/hash.ts'
import { type Random, seededRandom } from '../../src/core/random.ts'
import { encodeFoundingSet } from '../../src/formation/index.ts'
import type { Claim } from '../../src/formation/index.ts'
import type { BootStatement } from '../../src/identity/boot-statement.ts'
import type { VerifiedClaim } from '../../src/identity/claim.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import { encodeCbor } from '../../src/core/cbor.ts'
import type { StoredLogEntry } from '../../src/replica/durable.ts'
import {
  type Joiner,
  type RecordReader,
  recoverBoots,
  recoverConsensus,
  recoveredProgress,
  recoverFormation,
  recoverMet,
  Replica,
  type SnapshotPolicy
} from '../../src/replica/index.ts'
import type { StoredSnapshot } from '../../src/replica/snapshot.ts'
import type { ClientOutcome, ReplicaEffects, ReplicaEvent, ReplicaInput } from '../../src/replica/types.ts'
import { anyConfig } from '../../src/replicated-config/index.ts'
import { fakeCrypto, fakeSign, makeClaim } from '../formation/fake-crypto.ts'
import { fakeStatements, makeStatement } from './fake-statements.ts'

export const CONFIG_TEXT = '{"limit":1}'
const DOMAIN = sha256(utf8('test domain'))

interface Disk {
  readonly cells: Map<string, Uint8Array>
  entries: StoredLogEntry[]
  snapshot: StoredSnapshot | undefined
}

const emptyDisk = (): Disk => ({ cells: new Map(), entries: [], snapshot: undefined })

interface Life {
  readonly replica: Replica
  readonly own: BootStatement
  readonly events: ReplicaEvent[]
  readonly outcomes: ClientOutcome[]
  durable: number
  waiting: { after: number; to: string; frame: Uint8Array }[]
  deadline: number | undefined
}

export interface VirtualToken {
  /** Hex of 16 bytes. */
  readonly tokenId: string
  readonly role: 'voter' | 'observer'
  readonly uses: number
}

export interface VirtualNode {
  readonly claim: Claim | Joiner
  /** Of a node that joins. */
  readonly token: VirtualToken | undefined
  readonly disk: Disk
  boot: number
  life: Life | undefined
}

export interface ClusterOptions {
  readonly size: number
  readonly seed: number
  readonly delayMs?: number
  readonly jitterMs?: number
  readonly diskMs?: number
  /** Nodes whose writes take longer than those of the others. */
  readonly slowDisks?: Readonly<Record<string, number>>
  /** Share of frames that are lost. */
  readonly loss?: number
  /** Default: as shipped, so that a test without a word about them sees none. */
  readonly snapshots?: Partial<SnapshotPolicy>
  /** Of single nodes, beside that. */
  readonly snapshotsOf?: Readonly<Record<string, Partial<SnapshotPolicy>>>
  /** Of nodes that were given one. */
  readonly priorities?: Readonly<Record<string, number>>
}

export class VirtualCluster {
  readonly nodes = new Map<string, VirtualNode>()
  readonly random: Random
  readonly #options: Required<ClusterOptions>
  readonly #heap: { at: number; seq: number; run: () => void }[] = []
  readonly #links = new Set<string>()
  /** Process lives, by name: what a boot nonce is drawn for. */
  readonly #lives = new Map<string, number>()
  #seq = 0
  /** Frames that are lost whatever the options say, on sessions that stay open: a partition that nobody is told of. */
  loses: (from: string, to: string) => boolean = () => false
  now = 0
  /** Pieces of snapshots that were sent, in bytes. */
  bulkBytes = 0
  readonly snapshots = { taken: 0, restored: 0 }

  constructor(options: ClusterOptions) {
    this.#options = {
      delayMs: 1,
      jitterMs: 1,
      diskMs: 1,
      slowDisks: {},
      loss: 0,
      snapshots: {},
      snapshotsOf: {},
      priorities: {},
      ...options
    }
    this.random = seededRandom(options.seed)
    for (let seat = 1; seat <= options.size; seat++) this.add(`p${seat}`, seat)
  }

  add(peerId: string, seat: number, store = 1): VirtualNode {
    const node: VirtualNode = {
      claim: makeClaim(peerId, seat, store),
      token: undefined,
      disk: emptyDisk(),
      boot: 0,
      life: undefined
    }
    this.nodes.set(peerId, node)
    return node
  }

  /** A machine with a join token. */
  join(peerId: string, token: VirtualToken, store = 1): VirtualNode {
    const claim: Joiner = { incarnation: `${peerId}#${store}`, peerId, seat: undefined, role: token.role }
    const node: VirtualNode = { claim, token, disk: emptyDisk(), boot: 0, life: undefined }
    this.nodes.set(peerId, node)
    return node
  }

  /** The machine comes back with its key and an empty disk: another incarnation. Not started. */
  wipe(name: string): VirtualNode {
    const { claim, token } = this.nodes.get(name)!
    this.crash(name)
    const store = Number(claim.incarnation.split('#')[1]) + 1
    return token === undefined ? this.add(name, claim.seat!, store) : this.join(name, token, store)
  }

  /** What its disk holds now; the answer puts it back (FAULTS P5: a virtual machine's snapshot). The node must be down then. */
  snapshot(name: string): () => void {
    const { disk, boot } = this.nodes.get(name)!
    const cells = new Map(disk.cells)
    const { entries, snapshot } = disk
    return () => {
      const node = this.nodes.get(name)!
      this.nodes.set(name, { ...node, disk: { cells: new Map(cells), entries, snapshot }, boot, life: undefined })
    }
  }

  get names(): readonly string[] {
    return [...this.nodes.keys()]
  }

  life(name: string): Life {
    const { life } = this.nodes.get(name)!
    if (life === undefined) throw new Error(`${name} is down`)
    return life
  }

  start(name: string): void {
    const node = this.nodes.get(name)!
    node.boot++
    this.#lives.set(name, (this.#lives.get(name) ?? 0) + 1)
    const { claim, disk } = node
    const { peerId } = claim
    const life = { peerId, storeId: storeIdOf(claim), boot: node.boot, bootNonce: `${name}-${this.#lives.get(name)!}` }
    const codec = fakeStatements(life)
    const own = makeStatement({
      ...life,
      ...recoveredProgress(disk),
      sequence: 0,
      seen: undefined
    })
    const replica = new Replica({
      self: claim,
      domainId: DOMAIN,
      generation: 1,
      foundingSize: this.#options.size,
      initialConfigText: CONFIG_TEXT,
      validateConfig: anyConfig,
      ...recoverConsensus(disk),
      formationState: recoverFormation(disk, fakeCrypto.readClaim, undefined),
      foundersMet: recoverMet(disk),
      snapshots: { ...this.#options.snapshots, ...this.#options.snapshotsOf[name] },
      boots: { own, codec, known: recoverBoots(disk, codec.decode) },
      crypto: fakeCrypto,
      clusterIdOf: ({ set }) => sha256(encodeCbor(encodeFoundingSet(set))),
      certificateDocument: () => utf8('certificate'),
      readAddressRecord: readRecord,
      raftTiming: { heartbeatMs: 50, electionTimeoutMs: 250, rankStepMs: 20, jitterMs: 5 },
      formationTiming: { rankStepMs: 100, campaignTimeoutMs: 500 },
      ...this.#priorityOf(name),
      random: this.random.fork(`${name}/${node.boot}`)
    })
    node.life = { replica, own, events: [], outcomes: [], durable: 0, waiting: [], deadline: undefined }
    this.#carryOut(name, node.life, replica.start(this.now))
  }

  /** Writes that were not synced are lost, and so is everything on the wire to and from it. */
  crash(name: string): void {
    const node = this.nodes.get(name)!
    node.life = undefined
    for (const other of this.names) this.disconnect(name, other)
  }

  connect(a: string, b: string): void {
    if (a === b || this.#links.has(link(a, b))) return
    if (this.nodes.get(a)?.life === undefined || this.nodes.get(b)?.life === undefined) return
    this.#links.add(link(a, b))
    this.input(a, { type: 'session-open', peer: this.#admitted(b) })
    this.input(b, { type: 'session-open', peer: this.#admitted(a) })
  }

  disconnect(a: string, b: string): void {
    if (!this.#links.delete(link(a, b))) return
    if (this.nodes.get(a)?.life !== undefined) this.input(a, { type: 'session-close', peerId: b })
    if (this.nodes.get(b)?.life !== undefined) this.input(b, { type: 'session-close', peerId: a })
  }

  /** All are started, connected, and hold the initial config. */
  static formed(options: ClusterOptions): VirtualCluster {
    const cluster = new VirtualCluster(options)
    for (const name of cluster.names) cluster.start(name)
    cluster.connectAll()
    cluster.runUntil(() => cluster.names.every((name) => cluster.life(name).replica.status().config !== undefined))
    return cluster
  }

  connectAll(): void {
    for (const a of this.names) for (const b of this.names) if (a < b) this.connect(a, b)
  }

  input(name: string, input: ReplicaInput): void {
    const life = this.life(name)
    this.#carryOut(name, life, life.replica.step(input, this.now))
  }

  at(delayMs: number, run: () => void): void {
    this.#heap.push({ at: this.now + delayMs, seq: this.#seq++, run })
    this.#heap.sort((a, b) => a.at - b.at || a.seq - b.seq)
  }

  /** Runs until `done` holds, and throws with what the nodes wait for when it does not within `limitMs`. */
  runUntil(done: () => boolean, limitMs = 30_000): void {
    const end = this.now + limitMs
    while (!done()) {
      const next = this.#heap.shift()
      if (next === undefined || next.at > end) throw new Error(`not within ${limitMs} virtual ms: ${this.describe()}`)
      this.now = next.at
      next.run()
    }
  }

  run(ms: number): void {
    const end = this.now + ms
    this.at(ms, () => {})
    this.runUntil(() => this.now >= end, ms + 1)
  }

  describe(): string {
    return this.names
      .map((name) => {
        const status = this.nodes.get(name)?.life?.replica.status()
        if (status === undefined) return `${name} down`
        const { formation, raft, config } = status
        return `${name} ${formation.stage} term ${formation.term}; ${raft?.role ?? 'no raft'} ${raft?.term ?? ''} leader ${raft?.leader ?? '-'} config ${config?.current.version ?? '-'}`
      })
      .join('; ')
  }

  #priorityOf(name: string): { readonly priority?: number } {
    const priority = this.#options.priorities[name]
    return priority === undefined ? {} : { priority }
  }

  #admitted(name: string): Admitted {
    const { claim, boot, token, life } = this.nodes.get(name)!
    return {
      peerId: claim.peerId,
      storeId: storeIdOf(claim),
      incarnation: claim.incarnation,
      seat: claim.seat,
      role: token?.role ?? 'voter',
      claim: claim.seat === undefined ? undefined : claim,
      credential: (token === undefined ? {} : { token: { kind: 'join', ...token } }) as VerifiedClaim,
      boot,
      bootNonce: life!.own.bootNonce,
      statement: life!.own,
      clusterId: undefined,
      addresses: undefined,
      addressRecord: utf8(`record ${name} ${boot}`),
      agent: 'test',
      priority: this.#priorityOf(name).priority ?? PRIORITY_DEFAULT
    }
  }

  #carryOut(name: string, life: Life, effects: ReplicaEffects): void {
    const alive = (): boolean => this.nodes.get(name)?.life === life
    life.events.push(...effects.events)
    life.outcomes.push(...effects.outcomes)
    for (const event of effects.events) {
      if (event.type === 'snapshot') this.snapshots[event.action]++
      if (event.type === 'unwelcome') this.at(0, () => alive() && this.disconnect(name, event.peerId))
    }
    for (const { id, batch } of effects.writes) {
      this.at(this.#options.slowDisks[name] ?? this.#options.diskMs, () => {
        if (!alive()) return
        this.#persist(this.nodes.get(name)!.disk, batch)
        life.durable = id
        const ready = life.waiting.filter(({ after }) => after <= id)
        life.waiting = life.waiting.filter(({ after }) => after > id)
        for (const { to, frame } of ready) this.#transmit(name, to, frame)
        this.input(name, { type: 'persisted', write: id })
      })
    }
    for (const { to, frame, after } of effects.sends) {
      if (after <= life.durable) this.#transmit(name, to, frame)
      else life.waiting.push({ after, to, frame })
    }
    for (const { to, frame } of effects.bulk) {
      this.bulkBytes += frame.byteLength
      this.#transmit(name, to, frame)
    }
    for (const request of effects.sign) {
      const signature = fakeSign(this.nodes.get(name)!.claim as Claim, request.payload)
      this.at(0.1, () => alive() && this.input(name, { type: 'signed', ...request, signature }))
    }
    if (effects.deadline !== undefined && effects.deadline !== life.deadline) {
      const { deadline } = effects
      this.at(Math.max(0, deadline - this.now), () => alive() && life.deadline === deadline && this.#tick(name, life))
    }
    life.deadline = effects.deadline
  }

  #tick(name: string, life: Life): void {
    life.deadline = undefined
    this.input(name, { type: 'tick' })
  }

  #persist(disk: Disk, { cells, snapshot, compactTo = 0, entries }: ReplicaEffects['writes'][number]['batch']): void {
    for (const { name, value } of cells ?? []) disk.cells.set(name, value)
    if (snapshot !== undefined) {
      const isHeld = disk.entries.some(({ index, term }) => index === snapshot.index && term === snapshot.term)
      if (!isHeld) disk.entries = []
      disk.snapshot = snapshot
    }
    const from = entries?.[0]?.index ?? Infinity
    disk.entries = [...disk.entries.filter(({ index }) => index > compactTo && index < from), ...(entries ?? [])]
  }

  #transmit(from: string, to: string, frame: Uint8Array): void {
    const { delayMs, jitterMs, loss } = this.#options
    if (!this.#links.has(link(from, to)) || this.loses(from, to) || this.random.next() < loss) return
    const sender = this.nodes.get(from)!.life
    const receiver = this.nodes.get(to)!.life
    this.at(delayMs + this.random.next() * jitterMs, () => {
      const still = this.nodes.get(from)?.life === sender && this.nodes.get(to)?.life === receiver
      if (still && this.#links.has(link(from, to))) this.input(to, { type: 'frame', from, frame })
    })
  }
}

const storeIdOf = ({ incarnation }: Claim | Joiner): string => incarnation.split('#')[1]!

const link = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`)

/** `record <peer> <sequence>` */
const readRecord: RecordReader = (bytes, isNews) => {
  const [, peerId, sequence] = /^record (\S+) (\d+)$/.exec(fromUtf8(bytes)) ?? []
  if (peerId === undefined || !isNews(peerId, Number(sequence))) return undefined
  return { peerId, sequence: Number(sequence), addresses: [`/ip4/10.0.0.1/tcp/${peerId.slice(1)}`] }
}
