/**
 * One round of losing a leader: from the signal to the new leader's first commit, and until all that are left know it. What
 * the group was before the round it is again after it; everything waits for events. Only between a start and the next blow some
 * time passes: leaders are seldom lost while another node starts beside them, and a start keeps a core busy.
 */
import { setTimeout as passed } from 'node:timers/promises'
import { controlClient } from '../../src/admin/index.ts'
import { handOverCall, type HandOverRequest, handOverRequest, type Strike } from './hand-over-request.ts'
import type { Loss } from './losses.ts'
import { lookAway } from './observer.ts'
import type { Switch } from './switch.ts'
import type { EventOf, Life, Yard } from './yard.ts'

export interface Round {
  /** When the signal was sent, epoch ms. */
  readonly at: number
  /** Until the new leader's first commit. */
  readonly writableMs: number
  /** Until the last of the others knew the new leader. */
  readonly knownMs: number
  /** Until the first of the others missed the old one; a hand-over may be too quick for that. */
  readonly missedMs: number | undefined
  /** Terms that it took: one, and one more for each vote that nobody won. */
  readonly terms: number
}

/** The node that all that live take for the leader, itself included; when they do not agree, the next news may end that. */
export async function leaderOf(yard: Yard): Promise<Life> {
  for (;;) {
    const living = yard.living()
    const named = new Set(living.map(({ leader }) => leader?.leader))
    const leader = living.find(({ peerId }) => named.has(peerId))
    if (named.size === 1 && leader !== undefined) return leader
    await Promise.any(living.map((life) => life.until('leader', () => true, life.events.length)))
  }
}

/** Longer than nearly every round takes. */
const LONGEST_MS: Readonly<Record<Loss, number>> = {
  kill: 30,
  stop: 30,
  call: 20,
  transfer: 20,
  pause: 250,
  drop: 250
}

export interface Losing {
  /** Called when the leader has been struck. Without it the benchmark looks away until the round should be over. */
  readonly meanwhile?: () => void
  /** What the nodes hang on, by seat; needed for `drop`. */
  readonly network?: Switch
}

export async function loseLeader(yard: Yard, loss: Loss, losing: Losing = {}): Promise<Round> {
  const old = await leaderOf(yard)
  const { term } = old.leader!
  const others = yard.living().filter((life) => life !== old)
  const marks = new Map(yard.living().map((life) => [life, life.events.length]))
  const from = (life: Life): number => marks.get(life)!
  const mark = old.events.length
  const seat = yard.lives.indexOf(old)
  const struck = (): void => (losing.meanwhile === undefined ? lookAway(LONGEST_MS[loss]) : losing.meanwhile())
  const { at, refused } = await strike(old, loss, () => losing.network!.cut(seat), struck)
  // A hand-over that goes wrong may end with the old leader in a new term, or in its old one: then there was no round.
  const heirs = isAsked(loss) ? [...others, old] : others
  if (refused && (await leaderOf(yard)).leader!.term === term) return loseLeader(yard, loss, losing)
  const writable = await Promise.any(
    heirs.map((life) => life.until('writable', (event) => event.term > term, from(life)))
  )
  const known = await Promise.all(others.map((life) => life.until('leader', knows(writable), from(life))))
  const missed = others.flatMap((life) =>
    life.events
      .slice(from(life))
      .flatMap((event) => (event.event === 'leader' && event.leader === null ? event.at : []))
  )
  if (loss === 'drop') losing.network!.heal(seat)
  await restore(yard, old, loss, mark, writable)
  return {
    at,
    writableMs: writable.at - at,
    knownMs: Math.max(...known.map((event) => event.at)) - at,
    missedMs: missed.length === 0 ? undefined : Math.min(...missed) - at,
    terms: writable.term - term
  }
}

const knows =
  ({ node, term }: EventOf<'writable'>) =>
  (event: EventOf<'leader'>): boolean =>
    event.leader === node && event.term === term

async function strike(old: Life, loss: Loss, cut: () => number, struck: () => void): Promise<Strike> {
  if (isAsked(loss)) {
    const request = await HAND_OVERS[loss](old)
    request.send()
    struck()
    return request.answer()
  }
  const at = loss === 'drop' ? cut() : old.signal(SIGNALS[loss])
  struck()
  return { at, refused: false }
}

const HAND_OVERS = {
  call: handOverCall,
  transfer: handOverRequest
} as const satisfies Partial<Record<Loss, (leader: Life) => HandOverRequest | Promise<HandOverRequest>>>

/** The leader may say no, and it may stay. */
const isAsked = (loss: Loss): loss is keyof typeof HAND_OVERS => Object.hasOwn(HAND_OVERS, loss)

const SIGNALS = { kill: 'SIGKILL', pause: 'SIGSTOP', stop: 'SIGTERM' } as const

const SPEAKS_TRIES_MAX = 20

/** From `ready` of a node that was started again to the next blow. */
export const AFTER_START_MS = 500

/** From one hand-over to the next: others have heard of it, and have told who listens. */
const AFTER_TRANSFER_MS = 100

/**
 * What it sent while its packets were lost is repeated by TCP at growing intervals, for longer than they were lost: a node that
 * hears again may still not be heard. A write that it forwards to the leader shows that it is.
 */
async function speaks(life: Life): Promise<void> {
  for (let i = 0; i < SPEAKS_TRIES_MAX; i++) {
    const isHeard = await controlClient(life.dataDir)
      .setConfig({ back: life.name })
      .then(
        () => true,
        () => false
      )
    if (isHeard) return
  }
  throw new Error(`${life.name} is not heard again`)
}

async function restore(yard: Yard, old: Life, loss: Loss, mark: number, writable: EventOf<'writable'>): Promise<void> {
  switch (loss) {
    case 'kill':
    case 'stop': {
      await old.exited
      const { peerId } = old
      const others = yard.living()
      const marks = others.map(({ events }) => events.length)
      const again = yard.start(yard.lives.indexOf(old))
      await again.until('ready')
      await Promise.all(
        others.map((life, i) =>
          life.until('peer', (event) => event.peer === peerId && event.status === 'authenticated', marks[i])
        )
      )
      await passed(AFTER_START_MS)
      break
    }
    case 'pause':
      old.signal('SIGCONT')
      await old.until('leader', knows(writable), mark)
      break
    case 'drop':
      await old.until('leader', knows(writable), mark)
      await speaks(old)
      break
    case 'call':
    case 'transfer':
      await old.until('leader', knows(writable), mark)
      await passed(AFTER_TRANSFER_MS)
      break
  }
  // A round that ends with another leader than it found would begin the next one in the middle of an election.
  await Promise.all(yard.living().map((life) => life.until('leader', ({ leader }) => leader !== null)))
}
