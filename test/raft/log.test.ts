import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Log, entryBytes } from '../../src/raft/log.ts'
import { PendingWrites } from '../../src/raft/pending-writes.ts'
import type { Entry } from '../../src/raft/index.ts'

const terms = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 20 }).map((steps) => {
  let term = 1
  return steps.map((step) => (term += step))
})

const entriesOf = (list: readonly number[]): Entry[] =>
  list.map((term, i) => ({ index: i + 1, term, type: 'command', data: new Uint8Array(term) }))

describe('the log', () => {
  test('finds the last entry of a term or an earlier one as a scan would', () => {
    fc.assert(
      fc.property(terms, fc.nat({ max: 25 }), fc.nat({ max: 45 }), (list, index, term) => {
        let expected = Math.min(index, list.length)
        while (expected > 0 && list[expected - 1]! > term) expected--
        expect(new Log(entriesOf(list)).lastOfTermAtMost(Math.min(index, list.length), term)).toBe(expected)
      })
    )
  })

  test('is the same after truncation as if it had never been longer', () => {
    fc.assert(
      fc.property(terms, fc.nat(), terms, (list, at, more) => {
        const keep = list.length === 0 ? 0 : at % list.length
        const cut = new Log(entriesOf(list))
        if (keep < list.length) cut.truncate(keep + 1)
        const whole = [...list.slice(0, keep), ...more.map((term) => term + (list[keep - 1] ?? 0))]
        for (const entry of entriesOf(whole).slice(keep)) cut.append(entry)
        const fresh = new Log(entriesOf(whole))
        expect(cut.tail(1)).toEqual(fresh.tail(1))
        expect([cut.lastIndex, cut.lastTerm]).toEqual([fresh.lastIndex, fresh.lastTerm])
        expect(cut.stable).toBe(keep)
        for (let term = 0; term < 60; term++) {
          expect(cut.lastOfTermAtMost(whole.length, term)).toBe(fresh.lastOfTermAtMost(whole.length, term))
        }
      })
    )
  })

  test('is the same whether its beginning was forgotten or never there', () => {
    fc.assert(
      fc.property(terms, fc.nat(), fc.nat({ max: 45 }), (list, at, term) => {
        const whole = new Log(entriesOf(list))
        whole.commitTo(list.length)
        whole.emitted = list.length
        const cut = list.length === 0 ? 0 : at % (list.length + 1)
        const base = { index: cut, term: list[cut - 1] ?? 0 }
        const fresh = new Log(entriesOf(list).slice(cut), base)
        const bisected = Array.from({ length: list.length - cut + 1 }, (_, i) => {
          const index = cut + i
          return Math.max(cut, whole.lastOfTermAtMost(index, term))
        })
        whole.compact(Math.floor(cut / 2))
        whole.compact(cut)
        for (const log of [whole, fresh]) {
          expect([log.base, log.lastIndex, log.lastTerm]).toEqual([base, list.length, list.at(-1) ?? 0])
          expect(log.tail(cut + 1)).toEqual(entriesOf(list).slice(cut))
          expect(log.slice(cut + 1, 3, Infinity)).toEqual(entriesOf(list).slice(cut, cut + 3))
          expect(log.slice(cut + 2, 1, Infinity)).toEqual(entriesOf(list).slice(cut + 1, cut + 2))
          expect(Array.from({ length: list.length + 3 }, (_, index) => log.termAt(index))).toEqual(
            Array.from({ length: list.length + 3 }, (_, index) =>
              index < cut ? undefined : index === 0 ? 0 : list[index - 1]
            )
          )
          expect(bisected.map((_, i) => log.lastOfTermAtMost(cut + i, term))).toEqual(bisected)
        }
      })
    )
  })

  test('keeps behind a snapshot no more entries and no more bytes than it is told', () => {
    fc.assert(
      fc.property(terms, fc.nat({ max: 8 }), fc.nat({ max: 300 }), (list, entriesMax, bytesMax) => {
        const log = new Log(entriesOf(list))
        const cut = log.trailBefore(list.length, entriesMax, bytesMax)
        const bytes = (from: number): number => log.tail(from + 1).reduce((sum, entry) => sum + entryBytes(entry), 0)
        expect(list.length - cut).toBeLessThanOrEqual(entriesMax)
        expect(bytes(cut)).toBeLessThanOrEqual(bytesMax)
        if (cut > 0) expect(list.length - cut === entriesMax || bytes(cut - 1) > bytesMax).toBe(true)
      })
    )
  })

  test('begins anew behind a snapshot, and can be cut back to it', () => {
    const log = new Log(entriesOf([1, 1, 1]))
    log.replace({ index: 4, term: 2 })
    for (const term of [2, 3]) log.append({ ...entriesOf([term])[0]!, index: log.lastIndex + 1 })
    expect([5, 6].map((term) => log.lastOfTermAtMost(6, term - 3))).toEqual([5, 6])
    log.truncate(5)
    expect(log).toMatchObject({ lastIndex: 4, lastTerm: 2, commit: 4, stable: 0 })
  })

  test('keeps behind a snapshot as many bytes as it is told', () => {
    const log = new Log(entriesOf([1, 1, 1]))
    const bytes = entryBytes(log.at(1))
    expect([2 * bytes - 1, 2 * bytes, 3 * bytes].map((max) => log.trailBefore(3, 9, max))).toEqual([2, 1, 0])
  })

  test('slices within the limits, and at least one entry', () => {
    fc.assert(
      fc.property(
        terms,
        fc.nat({ max: 25 }),
        fc.integer({ min: 1, max: 6 }),
        fc.nat({ max: 300 }),
        (list, from, max, bytes) => {
          const slice = new Log(entriesOf(list)).slice(from + 1, max, bytes)
          expect(slice.map(({ index }) => index)).toEqual(slice.map((_, i) => from + 1 + i))
          expect(slice.length).toBeLessThanOrEqual(max)
          expect(slice.length > 0).toBe(from < list.length)
          const weight = slice.reduce((sum, entry) => sum + entryBytes(entry), 0)
          if (slice.length > 1) expect(weight).toBeLessThanOrEqual(bytes)
        }
      )
    )
  })
})

describe('pending writes', () => {
  test('confirm exactly what a disk that applies them in order holds', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append' as const), keep: fc.nat({ max: 10 }), add: fc.nat({ max: 3 }) }),
      fc.record({ do: fc.constant('confirm' as const), ahead: fc.nat({ max: 4 }) })
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const pending = new PendingWrites()
        let log: object[] = []
        const images: object[][] = [[]]
        let stable = 0
        for (const action of steps) {
          if (action.do === 'append') {
            const keep = Math.min(action.keep, log.length)
            log = [...log.slice(0, keep), ...Array.from({ length: action.add }, () => ({}))]
            pending.truncate(keep)
            stable = Math.min(stable, keep)
            expect(pending.issue(log.length, 0)).toBe(images.length)
            images.push(log)
          } else {
            const id = Math.min(pending.issued, pending.persisted + action.ahead)
            stable = pending.confirm(id) ?? stable
            const disk = images[id]!
            let same = 0
            while (same < disk.length && disk[same] === log[same]) same++
            expect(stable).toBe(same)
          }
        }
      })
    )
  })
})
