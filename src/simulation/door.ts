/**
 * How two processes meet: a dial, two hellos, and the shipped judge of admission on either side, on real claims and tokens. What is
 * replaced is the socket. Strangers knock here too.
 */
import { equalBytes } from '../core/bytes.ts'
import { PRIORITY_DEFAULT } from '../core/priority.ts'
import type { DialTarget } from '../discovery/port.ts'
import {
  type AdmissionContext,
  type Admitted,
  encodeHello,
  HELLO_VERSION,
  judgeHello,
  type RefusalCode
} from '../membership/admission.ts'
import { GENESIS_AT_MS } from './cast.ts'
import { FATE } from './fate.ts'
import type { Machine } from './machine.ts'
import { type Process, TIMING } from './process.ts'
import { Session } from './session.ts'
import type { World } from './world.ts'

/** Day one of the cluster. */
export const START_WALL_MS = GENESIS_AT_MS + 86_400_000
const AGENT = 'quorate/simulation'
const DATE_CODES: ReadonlySet<string> = new Set<RefusalCode>(['token-expired', 'token-not-yet-valid'])

export class Door {
  readonly #world: World
  #dials = 0

  constructor(world: World) {
    this.#world = world
  }

  /** The dial planner's wish. A path that swallows everything answers nothing; a host without the process refuses at once. */
  dial(from: Process, target: DialTarget): void {
    const machine = this.#reachedBy(from, target)
    const n = this.#dials++
    const roundTripUs = 1_200 + Math.floor(this.#world.fate.unit(from.machine.index, n, FATE.dial) * 1_500)
    const deaf = machine === undefined || !machine.hostUp || this.#world.isCut(from.machine, machine)
    const us = deaf ? TIMING.network.dialTimeoutMs * 1_000 : roundTripUs
    this.#world.after(us, () => from.later(() => this.#answerDial(from, target, machine, deaf)))
  }

  /** A dialer tries all addresses of a peer: the one where that peer answers is what counts, or else what it met first. */
  #reachedBy(from: Process, { addresses, peerId }: DialTarget): Machine | undefined {
    let first: Machine | undefined
    for (const address of addresses) {
      const machine = this.#world.machineAt(address)
      if (machine === undefined) continue
      const isReached = machine.hostUp && !this.#world.isCut(from.machine, machine)
      if (machine.actor.peerId === peerId && isReached) return machine
      first ??= machine
    }
    return first
  }

  #answerDial(from: Process, target: DialTarget, machine: Machine | undefined, deaf: boolean): void {
    if (!from.alive) return
    const { key } = target
    const to = machine?.process
    if (deaf || machine === undefined || this.#world.isCut(from.machine, machine) || to?.paused === true) {
      from.plan({ type: 'dial-failed', key, code: 'no answer in time' })
      return
    }
    if (to === undefined) {
      from.plan({ type: 'dial-failed', key, code: 'connection refused' })
      return
    }
    const { peerId } = machine.actor
    if (to === from) {
      from.plan({ type: 'dial-failed', key, code: 'self', refused: true, peerId })
      return
    }
    if (target.peerId !== undefined && target.peerId !== peerId) {
      from.plan({ type: 'dial-failed', key, code: 'another peer answers there', peerId })
      return
    }
    const known = from.sessions.get(peerId)
    if (known !== undefined && known.other(from) === to && known.isOpenOnBothSides()) {
      from.plan({ type: 'dial-succeeded', key, peerId })
      return
    }
    const mine = this.admit(from, this.#hello(to), peerId)
    const theirs = this.admit(to, this.#hello(from), from.machine.actor.peerId)
    if (mine === undefined || theirs === undefined) {
      from.plan({ type: 'dial-failed', key, code: 'refused', refused: true, peerId })
      return
    }
    from.plan({ type: 'dial-succeeded', key, peerId })
    new Session(this.#world, from, mine, to, theirs).open()
  }

  #hello(process: Process): Uint8Array {
    const { machine, replica } = process
    const { clusterId } = replica
    return encodeHello({
      version: HELLO_VERSION,
      domainId: this.#world.cast.genesis.domainId,
      generation: this.#world.cast.genesis.genesis.generation,
      claim: machine.store.claimBytes,
      boot: process.bootStatement,
      clusterId,
      addressRecord: machine.addressRecord,
      wallMs: this.#wallMs(machine),
      agent: AGENT,
      priority: machine.priority,
      needGenesis: false
    })
  }

  #wallMs(machine: Machine): number {
    return START_WALL_MS + this.#world.nowUs / 1_000 + machine.wallOffsetMs
  }

  /** The shipped judge on what a peer shows; whom the channel proved is `remotePeerId`. */
  admit(process: Process, hello: Uint8Array, remotePeerId: string): Admitted | undefined {
    const { founders, clusterId, sessions } = process.replica
    const membership = process.replica.consensus()?.membership
    const context: AdmissionContext = {
      self: { peerId: process.machine.actor.peerId },
      domainId: this.#world.cast.genesis.domainId,
      generation: this.#world.cast.genesis.genesis.generation,
      genesis: this.#world.cast.genesis,
      clusterId,
      seats:
        clusterId === undefined
          ? undefined
          : new Map(founders.map(({ seat, peerId, incarnation }) => [seat, { peerId, incarnation }])),
      remotePeerId,
      wallMs: this.#wallMs(process.machine),
      members: new Set([...(membership?.voters ?? []), ...(membership?.learners ?? [])]),
      live: sessions,
      redeemedBy: (tokenId) => process.replica.redeemedBy(tokenId),
      isConvicted: (incarnation) => process.replica.isConvicted(incarnation)
    }
    const judgement = judgeHello(hello, context)
    if (judgement.ok) return judgement.admitted
    const { refusal, sighting } = judgement
    if (sighting !== undefined) process.input({ type: 'sighting', statement: sighting })
    const { code } = refusal
    this.#world.refusals[code] = (this.#world.refusals[code] ?? 0) + 1
    this.#world.covered('admission', code)
    if (DATE_CODES.has(code) && context.wallMs < GENESIS_AT_MS)
      this.#world.oracle.refusedForDate(process, refusal.detail)
    this.#world.recorder?.note(process.machine, `refused ${code}`, refusal.detail)
    return undefined
  }

  /** Somebody without a credential tries the door (FAULTS B4 to B6). Letting it in is a violation. */
  knock(machine: Machine, n: number): void {
    const { process } = machine
    if (process === undefined || process.paused) return
    const { strangers, genesis } = this.#world.cast
    const stranger = strangers[n % strangers.length]!
    const isFounded = process.replica.clusterId !== undefined
    if (stranger.comesAfterFounding === true && !isFounded) return
    // Dates are judged by the clock of this machine.
    if (stranger.isDated === true && machine.wallOffsetMs !== 0) return
    if (stranger.peerId === machine.actor.peerId) return
    const robbed = stranger.robs === undefined ? undefined : this.#world.founders[stranger.robs]?.process
    const hello = encodeHello({
      version: n % 13 === 12 ? HELLO_VERSION + 1 : HELLO_VERSION,
      domainId: stranger.domainId,
      generation: n % 7 === 6 ? genesis.genesis.generation + 1 : genesis.genesis.generation,
      claim: stranger.claimBytes,
      boot: stranger.boot ?? robbed?.bootStatement ?? process.bootStatement,
      clusterId: stranger.clusterId,
      addressRecord: undefined,
      wallMs: START_WALL_MS,
      agent: AGENT,
      priority: PRIORITY_DEFAULT,
      needGenesis: false
    })
    const at = Math.floor(this.#world.fate.unit(machine.index, n, FATE.flip) * hello.byteLength)
    if (n % 3 === 0) hello[at]! ^= 1 << (n % 8)
    this.#world.fired('B6')
    const admitted = this.admit(process, hello, stranger.peerId)
    if (admitted !== undefined && !this.#isHonest(stranger.peerId, stranger.claimBytes))
      this.#world.oracle.letIn(process, stranger.name)
  }

  /** A flipped bit may hit what nobody signs; whoever shows the very claim under the very key is who it says it is. */
  #isHonest(peerId: string, shown: Uint8Array | undefined): boolean {
    const actor = this.#world.cast.actorOf(peerId)
    return actor?.stores.some(({ claimBytes }) => shown !== undefined && equalBytes(claimBytes, shown)) ?? false
  }
}
