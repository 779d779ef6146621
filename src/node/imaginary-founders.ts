/**
 * Three founders who exist in this process only: they admit each other, found a cluster, get its first leader and its config, and
 * read it, with the shipped replica, driver, documents and signatures, keys that nobody keeps, and stores without a disk. What they
 * write and say stays here. For the rehearsal of a node that waits for its cluster (rehearsal.ts).
 *
 * A founding comes in pieces, so that whoever lets it happen can do other things in between: each piece is one message.
 */
import { timingPresets } from '../config-init/index.ts'
import { toHex } from '../core/bytes.ts'
import type { Clock } from '../core/clock.ts'
import { invariant } from '../core/invariant.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import { idBytes, type Random, secureBytes } from '../core/random.ts'
import { makeBootStatement } from '../identity/boot-statement.ts'
import { makeClaim } from '../identity/claim.ts'
import { createGenesis, type VerifiedGenesis } from '../identity/genesis.ts'
import { generateLocalKey, type LocalKey } from '../identity/signer.ts'
import type { Admitted } from '../membership/admission.ts'
import { resolveSnapshots } from '../replica/index.ts'
import { createMemoryStorage } from '../storage/memory.ts'
import type { Storage } from '../storage/port.ts'
import type { AdmissionGate } from '../transport/gate.ts'
import { agent } from './defaults.ts'
import { Driver } from './driver.ts'
import { createGate } from './gate.ts'
import { type ReplicaHome, prepareReplica } from './prepare-replica.ts'

const SIZE = 3
/** A founding of three takes some thirty, and as many more for whatever is still being written or signed. */
const PIECES_MAX = 1_000
/** None of their timers is to fire while they are told one thing after the other. */
const TIMING = timingPresets.edge

export interface ImaginaryWorld {
  readonly clock: Clock
  readonly random: Random
}

/** One founding after another; yields after each piece, and gives the id of each cluster with its last. */
export async function* foundings(times: number, world: ImaginaryWorld): AsyncGenerator<string | undefined> {
  const keys = Array.from({ length: SIZE }, generateLocalKey)
  const roster = keys.map(({ signer }, i) => ({ seat: i + 1, peerId: signer.peerId }))
  const init = { name: 'rehearsal', foundingSize: SIZE, roster, createdAtMs: world.clock.wallNow() }
  const genesis = await createGenesis(init, [generateLocalKey().signer])
  for (let time = 1; time <= times; time++) {
    const founders: Founder[] = []
    for (const key of keys) {
      founders.push(await founder(key, genesis))
      yield undefined
    }
    const group = new Group(founders, genesis, world)
    try {
      for (let pieces = 0; !group.isReady; pieces++) {
        invariant(pieces < PIECES_MAX, 'an imaginary founding comes to its end')
        group.next()
        yield undefined
      }
    } finally {
      group.stop()
    }
    yield group.clusterId
  }
}

interface Founder extends ReplicaHome {
  readonly storage: Storage
}

async function founder(key: LocalKey, genesis: VerifiedGenesis): Promise<Founder> {
  const { domainId } = genesis
  const { generation } = genesis.genesis
  const storeId = secureBytes(16)
  const bootNonce = secureBytes(16)
  const nothing = { term: 0, votedFor: undefined, lastIndex: 0, commitIndex: 0, seen: undefined }
  const life = { domainId, generation, storeId, boot: 1, bootNonce }
  return {
    ...life,
    key,
    storage: createMemoryStorage(),
    claim: await makeClaim({ node: key.signer, storeId, nonce: secureBytes(16), by: { type: 'roster', genesis } }),
    bootStatement: await makeBootStatement(key.signer, { ...life, ...nothing, sequence: 0 }),
    certificate: undefined
  }
}

class Group {
  readonly #drivers = new Map<string, Driver>()
  /** What is to happen, in its order. */
  readonly #pieces: (() => void)[] = []
  readonly #asked = new Set<string>()
  #answered = 0
  clusterId: string | undefined

  constructor(founders: readonly Founder[], genesis: VerifiedGenesis, { clock, random }: ImaginaryWorld) {
    const names = founders.map(({ key }) => key.signer.peerId)
    for (const home of founders) this.#drivers.set(home.key.signer.peerId, this.#driver(home, genesis, clock, random))
    for (const driver of this.#drivers.values()) driver.start()
    // In the order in which founders come: each meets those before it.
    const gates = founders.map((home) => gateOf(home, genesis, clock))
    for (const [i, newcomer] of names.entries()) {
      for (const [j, present] of names.slice(0, i).entries()) {
        this.#meet(present, newcomer, gates[i]!, gates[j]!)
        this.#meet(newcomer, present, gates[j]!, gates[i]!)
      }
    }
  }

  get isReady(): boolean {
    return this.#answered === SIZE
  }

  next(): void {
    this.#pieces.shift()?.()
  }

  stop(): void {
    for (const driver of this.#drivers.values()) driver.stop()
  }

  #meet(host: string, guest: string, guestGate: AdmissionGate, hostGate: AdmissionGate): void {
    this.#pieces.push(() => {
      const peer = admitted(hostGate, guestGate.hello(), guest)
      this.#drivers.get(host)!.input({ type: 'session-open', peer })
    })
  }

  #driver(home: Founder, genesis: VerifiedGenesis, clock: Clock, random: Random): Driver {
    const self = home.key.signer.peerId
    const send = (to: string, frame: Uint8Array): void => {
      this.#pieces.push(() => this.#drivers.get(to)?.input({ type: 'frame', from: self, frame }))
    }
    const replica = prepareReplica({
      ...{ home, genesis, timing: TIMING, priority: PRIORITY_DEFAULT, snapshots: resolveSnapshots(undefined) },
      random: random.fork(self)
    })
    return new Driver({
      replica,
      clock,
      send,
      storage: home.storage,
      sendBulk: send,
      sign: (payload) => home.key.signer.sign(payload),
      onEvent: (event) => {
        if (event.type === 'founded') this.clusterId = event.clusterId
        else if (event.type === 'leader' && event.leader !== undefined) this.#read(self)
      },
      onOutcome: () => this.#answered++,
      onFatal: (error) => {
        this.#pieces.unshift(() => {
          throw error
        })
      }
    })
  }

  /** As a node does before it calls itself ready. */
  #read(self: string): void {
    if (this.#asked.has(self)) return
    this.#asked.add(self)
    const request = { type: 'read', requestId: toHex(idBytes(16)) } as const
    this.#pieces.push(() => this.#drivers.get(self)!.input({ type: 'request', request }))
  }
}

function gateOf(home: Founder, genesis: VerifiedGenesis, clock: Clock): AdmissionGate {
  return createGate({
    ...{ peerId: home.key.signer.peerId, domainId: home.domainId, generation: home.generation, claim: home.claim },
    ...{ bootStatement: home.bootStatement, agent, priority: PRIORITY_DEFAULT, clock },
    genesis: () => genesis,
    onGenesis: () => {},
    clusterId: () => undefined,
    addressRecord: () => undefined,
    seats: () => undefined,
    members: () => new Set(),
    sessions: () => [],
    onSighting: () => {},
    redeemedBy: () => [],
    isConvicted: () => false
  })
}

function admitted(gate: AdmissionGate, hello: Uint8Array, peerId: string): Admitted {
  const judgement = gate.judge(hello, peerId)
  invariant(judgement.type === 'admitted', 'an imaginary founder is let in')
  return judgement.admitted
}
