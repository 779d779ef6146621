/**
 * Was there one order of all operations that explains every answer, in which no operation comes before another that had ended
 * when it began? (Herlihy and Wing, 1990)
 *
 * Wing and Gong's search (1993): of the operations that have begun, and that nothing which ended must precede, take one that the
 * object answers as it was answered, and go on; where none is left, go back. Lowe's improvement (2017): the same set of
 * operations that leads to the same state of the object is searched once.
 *
 * An operation whose answer never came may have taken effect at any time after its call, or never: it ends after everything
 * else, and any answer is right. The check is exact, and exponential in how much overlaps at the worst.
 */
export type HistoryEvent<C, R> =
  | { readonly type: 'call'; readonly id: number; readonly command: C }
  | { readonly type: 'return'; readonly id: number; readonly result: R }

/** What the object does when nobody else is there. */
export interface SequentialObject<S, C, R> {
  readonly initial: S
  apply(state: S, command: C): { readonly state: S; readonly result: R }
  /** Equal texts for equal states. */
  stateText(state: S): string
  resultText(result: R): string
}

export type Verdict<C> =
  | { readonly linearizable: true; readonly order: readonly number[] }
  | {
      readonly linearizable: false
      /** The longest order that explains a beginning, and the first operation that no continuation explains. */
      readonly order: readonly number[]
      readonly stuckAt: C
    }

interface Item<C, R> {
  readonly id: number
  readonly command: C
  /** Undefined when no answer came. */
  readonly expected: R | undefined
  readonly answered: boolean
  /** Of a call: where it ends. Undefined for an end. */
  end: Item<C, R> | undefined
  before: Item<C, R> | undefined
  after: Item<C, R> | undefined
}

interface Chosen<S, C, R> {
  readonly item: Item<C, R>
  readonly stateBefore: S
}

/** `events` in the order in which they happened. Throws when they are no history. */
export function checkLinearizable<S, C, R>(
  object: SequentialObject<S, C, R>,
  events: readonly HistoryEvent<C, R>[]
): Verdict<C> {
  const head = listOf<C, R>(events)
  const chosen: Chosen<S, C, R>[] = []
  const taken = new Set<number>()
  const searched = new Set<string>()
  let longest: readonly number[] = []
  let stuckAt: C | undefined
  let state = object.initial
  let at = head.after
  while (head.after !== undefined) {
    if (at?.end === undefined) {
      // An operation ended that could not be taken: whatever was taken last was wrong.
      if (at !== undefined && (stuckAt === undefined || chosen.length > longest.length)) {
        longest = chosen.map(({ item }) => item.id)
        stuckAt = at.command
      }
      const last = chosen.pop()
      if (last === undefined) return { linearizable: false, order: longest, stuckAt: stuckAt! }
      state = last.stateBefore
      taken.delete(last.item.id)
      putBack(last.item)
      at = last.item.after
      continue
    }
    const next = object.apply(state, at.command)
    const fits = !at.answered || object.resultText(next.result) === object.resultText(at.expected as R)
    if (fits && isNew(searched, taken, at.id, object.stateText(next.state))) {
      chosen.push({ item: at, stateBefore: state })
      taken.add(at.id)
      state = next.state
      takeOut(at)
      at = head.after
    } else at = at.after
  }
  return { linearizable: true, order: chosen.map(({ item }) => item.id) }
}

function isNew(searched: Set<string>, taken: ReadonlySet<number>, id: number, state: string): boolean {
  const key = `${[...taken, id].toSorted((a, b) => a - b).join()}|${state}`
  if (searched.has(key)) return false
  searched.add(key)
  return true
}

/** Calls and ends in the order of time; unanswered operations end after all. */
function listOf<C, R>(events: readonly HistoryEvent<C, R>[]): Item<C, R> {
  const head = itemOf<C, R>(-1, undefined as C, undefined, false)
  let last = head
  const open = new Map<number, Item<C, R>>()
  const results = new Map<number, R>()
  for (const event of events) if (event.type === 'return') results.set(event.id, event.result)
  const append = (item: Item<C, R>): void => {
    last.after = item
    item.before = last
    last = item
  }
  for (const event of events) {
    if (event.type === 'call') {
      if (open.has(event.id)) throw new Error(`operation ${event.id} is called twice`)
      const call = itemOf<C, R>(event.id, event.command, results.get(event.id), results.has(event.id))
      open.set(event.id, call)
      append(call)
    } else {
      const call = open.get(event.id)
      if (call === undefined || call.end !== undefined) throw new Error(`operation ${event.id} ends without being open`)
      call.end = itemOf<C, R>(event.id, call.command, undefined, true)
      append(call.end)
    }
  }
  for (const call of open.values()) {
    if (call.end !== undefined) continue
    call.end = itemOf<C, R>(call.id, call.command, undefined, false)
    append(call.end)
  }
  return head
}

const itemOf = <C, R>(id: number, command: C, expected: R | undefined, answered: boolean): Item<C, R> => ({
  id,
  command,
  expected,
  answered,
  end: undefined,
  before: undefined,
  after: undefined
})

/** Takes an operation, call and end, out of the list; the two remember their neighbours (Knuth's dancing links). */
function takeOut<C, R>(call: Item<C, R>): void {
  for (const item of [call, call.end!]) {
    item.before!.after = item.after
    if (item.after !== undefined) item.after.before = item.before
  }
}

function putBack<C, R>(call: Item<C, R>): void {
  for (const item of [call.end!, call]) {
    item.before!.after = item
    if (item.after !== undefined) item.after.before = item
  }
}
