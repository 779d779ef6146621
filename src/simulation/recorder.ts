/** What a picture needs of a run. Absent in bulk runs. */
import type { ReplicaEvent } from '../replica/types.ts'
import type { Machine } from './machine.ts'
import type { Violation } from './oracle.ts'
import { flagIn, numberIn, raftTypeOf } from './peek.ts'

/** One frame on its way; `arriveMs` is undefined when it was lost. */
export interface RecordedFrame {
  readonly kind: string
  readonly from: number
  readonly to: number
  readonly sentMs: number
  readonly arriveMs: number | undefined
  readonly term: number
}

export type RecordedMark =
  | {
      readonly type: 'life'
      readonly node: number
      readonly atMs: number
      readonly state: 'up' | 'down'
      readonly how: string
    }
  | {
      readonly type: 'role'
      readonly node: number
      readonly atMs: number
      readonly role: string
      readonly term: number
      readonly why: string
    }
  | {
      readonly type: 'config'
      readonly node: number
      readonly atMs: number
      readonly version: number
      readonly hash: string
    }
  | {
      readonly type: 'note'
      readonly node: number
      readonly atMs: number
      readonly text: string
      readonly detail: string
    }
  /** Whom it follows. */
  | {
      readonly type: 'leader'
      readonly node: number
      readonly atMs: number
      readonly term: number
      readonly leader: string | undefined
    }
  | { readonly type: 'paused'; readonly node: number; readonly atMs: number; readonly paused: boolean }

/** Something that was done to the world: a fault of a plan, or a verb of whoever drives it. */
export interface RecordedFault {
  /** `N4`, or the verb. */
  readonly id: string
  readonly fromMs: number
  /** Undefined: until the end of the run, or until somebody ends it. */
  untilMs: number | undefined
  readonly text: string
  /** The text in few words, where there is little room. */
  readonly short: string
  readonly nodes: readonly number[]
  readonly isVerb: boolean
}

/** Beats of this many frames are kept; the rest is counted. */
const FRAMES_MAX = 60_000

export class Recorder {
  readonly frames: RecordedFrame[] = []
  readonly marks: RecordedMark[] = []
  readonly faults: RecordedFault[] = []
  readonly violations: Violation[] = []
  framesDropped = 0
  /** Of the machines, by index. */
  readonly names: string[] = []
  readonly #namesOf = new Map<string, string>()

  machine({ index, name, actor }: Machine): void {
    this.names[index] = name
    if (!this.#namesOf.has(actor.peerId)) this.#namesOf.set(actor.peerId, name)
  }

  /** The text with names for PeerIds and incarnations. */
  named(text: string): string {
    let words = text
    for (const [peerId, name] of this.#namesOf)
      words = words.replaceAll(new RegExp(`${peerId}(?:#[0-9a-f]{32})?`, 'g'), name)
    return words
  }

  life(machine: Machine, state: 'up' | 'down', how = ''): void {
    this.marks.push({ type: 'life', node: machine.index, atMs: nowMs(machine), state, how })
  }

  paused(machine: Machine, paused: boolean): void {
    this.marks.push({ type: 'paused', node: machine.index, atMs: nowMs(machine), paused })
  }

  note(machine: Machine, text: string, detail: string): void {
    this.marks.push({ type: 'note', node: machine.index, atMs: nowMs(machine), text, detail })
  }

  event(machine: Machine, event: ReplicaEvent): void {
    const at = { node: machine.index, atMs: nowMs(machine) }
    switch (event.type) {
      case 'role':
        this.marks.push({ type: 'role', ...at, role: event.role, term: event.term, why: event.reason })
        return
      case 'config':
        this.marks.push({ type: 'config', ...at, version: event.version, hash: event.hash })
        return
      case 'founded':
        this.marks.push({
          type: 'role',
          ...at,
          role: 'follower',
          term: 0,
          why: `founded ${event.clusterId.slice(0, 8)}`
        })
        return
      case 'founding-leader':
        this.note(machine, 'founding leader', `elected in founding term ${event.term} by ${event.votes} votes`)
        return
      case 'campaign':
        this.note(machine, 'founding campaign', `founding term ${event.term}: ${event.reason}`)
        return
      case 'no-quorum':
        this.note(machine, 'no quorum', `in term ${event.term} it heard ${event.heardFrom.length} voters`)
        return
      case 'alarm':
        this.note(machine, `alarm ${event.code}`, event.detail)
        return
      case 'snapshot':
        this.note(machine, `snapshot ${event.action}`, `${event.bytes} bytes for the entries up to ${event.index}`)
        return
      case 'seat-conflict':
        this.note(machine, 'seat conflict', `two claims on seat ${event.seat}`)
        return
      case 'leader':
        this.marks.push({ type: 'leader', ...at, term: event.term, leader: event.leader })
        return
      case 'founder-seen':
      case 'frame-refused':
      case 'hint':
      case 'member':
      case 'unwelcome':
      case 'writable':
        return
    }
  }

  frame(from: Machine, to: Machine, frame: Uint8Array, sentUs: number, arriveUs: number | undefined): void {
    if (this.frames.length >= FRAMES_MAX) {
      this.framesDropped++
      return
    }
    const type = raftTypeOf(frame)
    this.frames.push({
      kind: kindOf(type, frame),
      from: from.index,
      to: to.index,
      sentMs: sentUs / 1_000,
      arriveMs: arriveUs === undefined ? undefined : arriveUs / 1_000,
      term: type === undefined ? 0 : numberIn(frame, 0)
    })
  }

  fault(fault: RecordedFault): void {
    this.faults.push(fault)
  }

  /** A verb, with the machines that it names. What lasts has no end until `end` says so. */
  verb(atMs: number, id: string, words: string, machines: readonly Machine[], lasts: boolean): void {
    const text = words === '' ? id : `${id} ${words}`
    const nodes = machines.map(({ index }) => index)
    const untilMs = lasts ? undefined : atMs
    this.faults.push({ id, fromMs: atMs, untilMs, text, short: text, nodes, isVerb: true })
  }

  /** Those of these verbs that last and name one of these machines (none: all of them) end now. */
  end(atMs: number, ids: readonly string[], machines: readonly Machine[] = []): void {
    for (const verb of this.faults) {
      const isMeant = machines.every(({ index }) => verb.nodes.includes(index))
      if (verb.isVerb && verb.untilMs === undefined && ids.includes(verb.id) && isMeant) verb.untilMs = atMs
    }
  }

  violation(violation: Violation): void {
    this.violations.push(violation)
  }
}

/** Of an answer to a candidate it matters which one it is: votes are counted by it. */
function kindOf(type: string | undefined, frame: Uint8Array): string {
  if (type === 'vote-reply') return flagIn(frame, 1) ? 'vote-granted' : 'vote-refused'
  return type ?? 'other'
}

const nowMs = (machine: Machine): number => machine.world.nowUs / 1_000
