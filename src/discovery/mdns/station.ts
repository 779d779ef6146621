/**
 * When to speak on one interface. Pure: it is told what was heard and sent, and answers when to send a query or an answer, and
 * whether our own queries come back.
 *
 * Queries: at once, then after 0.25, 0.5, 1, 2, 4, 8 and every 10 s, each +-20 %. A rare query is put off when somebody else
 * has just asked the same (RFC 6762, 7.3): answers go to everybody, so one asker per link is enough.
 *
 * Answers: at once while the cluster is small; with more peers, spread by lot (RFC 6762, 6), and on average no closer together
 * than 10 ms times the number of peers. Whatever the size, a link carries about a hundred answers a second at
 * most. A request that comes too soon is not dropped but joins the next answer. An asker that says in a later
 * packet that it knows us already (RFC 6762, 7.2) takes its request back.
 *
 * Watchdog: multicast that does not work is silent: sends succeed and nothing arrives. We hear our own queries when it does;
 * not hearing any for a second is the alarm.
 */
import type { Random } from '../../core/random.ts'

export interface StationInit {
  readonly random: Random
  readonly now: number
}

export type StationAction = 'query' | 'answer' | 'blocked'

const QUERY_STEPS_MS = [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000] as const
const QUERY_JITTER = 0.2
/** From this interval on, somebody else's query spares us ours. */
const SPARED_FROM_MS = 4_000
/** Somebody who asks all the time must not keep us silent for ever; all nodes of a link together ask once in ten seconds. */
const QUIET_PER_PEER_MS = 10_000
const QUIET_MIN_MS = 40_000
/** Each version of an announcement is sent so often, in case one is lost (RFC 6762, 8.3 asks for two). */
const ANNOUNCE_AFTER_MS = [0, 250, 1_000, 3_000] as const
const SMALL_CLUSTER = 16
const ANSWER_SPREAD_MAX_MS = 250
const ANSWER_GAP_MIN_MS = 20
const ANSWER_GAP_MAX_MS = 1_000
/** A small cluster that starts together asks and answers several times within milliseconds. */
const SMALL_CLUSTER_BURST = 4
/** An asker whose list of known answers goes on in further packets is given this long to send them. */
const CONTINUATION_MS = 20
const ASKERS_MAX = 64
const ECHO_MS = 1_000
const ECHO_PROBE_MS = 500
/** A tick that late means that our process was stopped: what arrived meanwhile has not been read yet. */
const LATE_MS = 200

export class Station {
  readonly #random: Random
  #queryAt: number
  #queryStep = 0
  #queriedAt: number
  #peers = 0
  #answerAt: number | undefined
  /** Who waits for the answer, by source address; undefined: too many to say, or it is due anyway. */
  #askers: Set<string> | undefined = new Set()
  #announceAt: number[] = []
  /** When the answers sent so far would have been due, had they been `gap` apart (generic cell rate algorithm). */
  #answersPaidUntil = -Infinity
  /** First query since the last echo. */
  #unheardSince: number | undefined
  #echoDueAt = Infinity
  #probeAt = Infinity
  #blocked = false

  constructor(init: StationInit) {
    this.#random = init.random
    this.#queryAt = init.now
    this.#queriedAt = init.now
    this.announce(init.now)
  }

  get blocked(): boolean {
    return this.#blocked
  }

  /** Our announcement is new: send it a few times without being asked. */
  announce(now: number): void {
    this.#announceAt = ANNOUNCE_AFTER_MS.map((afterMs) => now + afterMs)
  }

  /** Starts the burst of queries again. */
  search(now: number): void {
    this.#queryAt = now
    this.#queryStep = 0
  }

  /** Somebody asked, and did not list us among the answers that it knows already; `more`: its list goes on. */
  asked(asker: string, more: boolean, peers: number, now: number): void {
    this.#peers = peers
    const isSmall = peers <= SMALL_CLUSTER
    const spread = isSmall ? 0 : this.#random.next() * Math.min(ANSWER_SPREAD_MAX_MS, 2 * peers)
    const wait = spread + (more ? CONTINUATION_MS : 0)
    const allowedAt = this.#answersPaidUntil - (isSmall ? SMALL_CLUSTER_BURST - 1 : 0) * gapMs(peers)
    this.#answerAt = Math.min(this.#answerAt ?? Infinity, Math.max(now + wait, allowedAt))
    this.#askers?.add(asker)
    if (this.#askers !== undefined && this.#askers.size > ASKERS_MAX) this.#askers = undefined
  }

  /** The rest of an asker's list says that it knows us. */
  satisfied(asker: string): void {
    if (this.#askers === undefined || !this.#askers.delete(asker)) return
    if (this.#askers.size === 0) this.#answerAt = undefined
  }

  /** Somebody else's query was heard whose known answers we know all. */
  spared(peers: number, now: number): void {
    const intervalMs = QUERY_STEPS_MS[Math.max(0, this.#queryStep - 1)]!
    const quietMs = Math.max(QUIET_MIN_MS, QUIET_PER_PEER_MS * peers)
    if (intervalMs < SPARED_FROM_MS || now - this.#queriedAt >= quietMs || this.#unheardSince !== undefined) return
    this.#queryAt = now + this.#jittered(intervalMs)
  }

  /** Our own query came back; true when multicast had been blocked until now. */
  echoed(): boolean {
    const restored = this.#blocked
    this.#blocked = false
    this.#unheardSince = undefined
    this.#echoDueAt = Infinity
    this.#probeAt = Infinity
    return restored
  }

  nextAt(): number {
    return Math.min(
      this.#queryAt,
      this.#answerAt ?? Infinity,
      this.#announceAt[0] ?? Infinity,
      this.#echoDueAt,
      this.#probeAt
    )
  }

  /** What to do now; the station takes it as done. */
  due(now: number): StationAction[] {
    const actions: StationAction[] = []
    if (this.#isAnswerDue(now)) {
      this.#answersPaidUntil = Math.max(now, this.#answersPaidUntil) + gapMs(this.#peers)
      this.#answerAt = undefined
      this.#askers = new Set()
      actions.push('answer')
    }
    if (this.#queryAt <= now || this.#probeAt <= now) {
      this.#queried(now)
      actions.push('query')
    }
    if (this.#isEchoMissing(now)) actions.push('blocked')
    return actions
  }

  #isAnswerDue(now: number): boolean {
    let due = this.#answerAt !== undefined && this.#answerAt <= now
    while (this.#announceAt.length > 0 && this.#announceAt[0]! <= now) {
      this.#announceAt.shift()
      due = true
    }
    return due
  }

  #queried(now: number): void {
    if (this.#queryAt <= now) {
      this.#queryAt = now + this.#jittered(QUERY_STEPS_MS[this.#queryStep]!)
      this.#queryStep = Math.min(this.#queryStep + 1, QUERY_STEPS_MS.length - 1)
    }
    this.#queriedAt = now
    this.#probeAt = Infinity
    if (this.#unheardSince !== undefined) return
    this.#unheardSince = now
    if (this.#blocked) return
    this.#echoDueAt = now + ECHO_MS
    this.#probeAt = now + ECHO_PROBE_MS
  }

  #isEchoMissing(now: number): boolean {
    if (this.#echoDueAt > now) return false
    if (now - this.#echoDueAt > LATE_MS) {
      this.#echoDueAt = now + LATE_MS
      return false
    }
    this.#echoDueAt = Infinity
    this.#unheardSince = undefined
    this.#blocked = true
    return true
  }

  #jittered(ms: number): number {
    return ms * (1 - QUERY_JITTER + 2 * QUERY_JITTER * this.#random.next())
  }
}

const gapMs = (peers: number): number => Math.min(ANSWER_GAP_MAX_MS, Math.max(ANSWER_GAP_MIN_MS, 10 * peers))
