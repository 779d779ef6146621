/**
 * The shipped consensus core with its private fields in the open, for a checker that must compare whole states.
 *
 * The sources of `src/raft` and `src/core` are copied with every `#name` written `$name`, and loaded from there: nothing else
 * differs, no field can be forgotten, and the shipped code carries nothing for tests. A planted bug is a replacement in that
 * copy; its text must be there exactly once, so a plant cannot silently miss the code that it was made for.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Raft, RaftInit } from '../../src/raft/index.ts'

export interface Plant {
  /** Below src/raft. */
  readonly file: string
  readonly replace: string
  readonly by: string
}

export type CreateRaft = (init: RaftInit) => Raft

const source = fileURLToPath(new URL('../../src/', import.meta.url))

export async function openRaft(plants: readonly Plant[] = []): Promise<CreateRaft> {
  const folder = mkdtempSync(join(tmpdir(), 'quorate-model-'))
  try {
    for (const room of ['core', 'raft']) {
      cpSync(join(source, room), join(folder, room), { recursive: true })
      for (const name of readdirSync(join(folder, room))) openFile(join(folder, room, name), room, name, plants)
    }
    const opened = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'raft/index.ts')).href)) as {
      readonly createRaft: CreateRaft
    }
    return opened.createRaft
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function openFile(path: string, room: string, name: string, plants: readonly Plant[]): void {
  let text = readFileSync(path, 'utf8')
  for (const { file, replace, by } of plants) {
    if (room !== 'raft' || file !== name) continue
    if (text.split(replace).length !== 2) throw new Error(`${file} does not hold exactly once: ${replace}`)
    text = text.replace(replace, () => by)
  }
  writeFileSync(path, text.replaceAll(/#(?=[a-z])/g, '$'))
}

/** Stands for every time: deadlines are met when the model says so, never compared. */
const SOMETIME = '~'
/** They hold times. What cannot change what is decided: delays and their inputs, caches, and names of requests. */
const TIMES = new Set([
  '$campaignAt',
  '$heardAt',
  'heardAt',
  'endsAt',
  '$heartbeatAt',
  '$quorumAt',
  '$madeAt',
  '$makeWayAt',
  'deadline'
])
/** The same where nobody beats: heartbeats are counted, and what was sent before one is compared with its answer. */
const BEATS = ['seq', 'heartbeatMatch', 'heartbeatNext', 'ackedSeq']
const NEUTRAL = new Set([
  'settings',
  'self',
  'rank',
  'waitMs',
  'roundTrip',
  'order',
  'first',
  '$heir',
  '$beatTerm',
  '$beatSeq',
  '$mayOffer',
  '$settled',
  'failedRounds',
  '$graced',
  '$lastAppend',
  '$lastAppendBytes',
  '$sentAt',
  '$proposals',
  ...BEATS
])

/** The whole state as text, equal for states that behave alike. Numbers of writes count from the last durable one. */
export function stateText(raft: Raft, beats = false): string {
  return new Dump(beats).of(raft)
}

class Dump {
  readonly #seen = new Map<object, number>()
  #durable = 0
  readonly #beats: boolean

  constructor(beats: boolean) {
    this.#beats = beats
  }

  of(value: unknown): string {
    if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value)
    if (typeof value === 'string') return value
    if (typeof value === 'function') return ''
    if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('latin1')}"`
    if (Array.isArray(value)) return `[${value.map((item) => this.of(item)).join()}]`
    if (value instanceof Set)
      return `{${[...value]
        .map((item) => this.of(item))
        .toSorted()
        .join()}}`
    if (value instanceof Map) {
      return `{${[...value]
        .map(([key, item]) => `${this.of(key)}:${this.of(item)}`)
        .toSorted()
        .join()}}`
    }
    return this.#object(value as Readonly<Record<string, unknown>>)
  }

  #object(object: Readonly<Record<string, unknown>>): string {
    const known = this.#seen.get(object)
    if (known !== undefined) return `@${known}`
    this.#seen.set(object, this.#seen.size)
    const kind = object.constructor.name
    if (kind === 'PendingWrites') return this.#writes(object)
    if (kind === 'Inflight') return this.#inflight(object)
    if (kind === 'Durability') this.#durable = (object['writes'] as { persisted: number }).persisted
    const fields = Object.keys(object).filter((key) => !this.#isNeutral(key) && typeof object[key] !== 'function')
    return `${kind}(${fields.map((key) => `${key}=${this.#field(key, object[key])}`).join()})`
  }

  #isNeutral(key: string): boolean {
    return NEUTRAL.has(key) && !(this.#beats && BEATS.includes(key))
  }

  #field(key: string, value: unknown): string {
    if (key === '$hardStateWrite') return this.of(Math.max(0, (value as number) - this.#durable))
    return TIMES.has(key) && value !== Infinity ? SOMETIME : this.of(value)
  }

  #writes(writes: Readonly<Record<string, unknown>>): string {
    const persisted = writes['persisted'] as number
    const queue = (writes['$queue'] as readonly { id: number; stableTo: number }[]).slice(writes['$head'] as number)
    return `${(writes['issued'] as number) - persisted}[${queue.map(({ id, stableTo }) => `${id - persisted}:${stableTo}`).join()}]`
  }

  #inflight(ring: Readonly<Record<string, unknown>>): string {
    const last = ring['$last'] as readonly number[]
    const first = ring['$first'] as number
    return Array.from({ length: ring['$count'] as number }, (_, i) => last[(first + i) % last.length]).join('.')
  }
}
