/** One flush at a time, what waits shares the next one, and a failure is final. */
import { describe, expect, test } from 'vitest'
import { GroupCommit } from '../../src/storage/group-commit.ts'

/** A commit whose flushes end when the test says so, and what became of every promise. */
function setup(groupBytesMax = 100) {
  const flushes: { readonly items: readonly string[]; end(error?: unknown): Promise<void> }[] = []
  const settled: string[] = []
  const commit = new GroupCommit<string>(
    (items) =>
      new Promise((resolve, reject) => {
        const end = (error?: unknown): Promise<void> => {
          if (error === undefined) resolve()
          else reject(error)
          return turns()
        }
        flushes.push({ items, end })
      }),
    groupBytesMax
  )
  const add = (item: string, bytes = 1): void => {
    commit.add(item, bytes).then(
      () => settled.push(item),
      (error: Error) => settled.push(`${item}: ${error.message}`)
    )
  }
  return { commit, flushes, settled, add, groups: () => flushes.map(({ items }) => items.join('')) }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('a group', () => {
  test('is what one step adds, and then what came while the one before was flushed', async () => {
    const { commit, flushes, settled, add, groups } = setup()
    add('a', 3)
    add('b', 4)
    expect([groups(), commit.queued]).toEqual([[], { items: 2, bytes: 7 }])
    await turns()
    expect([groups(), commit.queued]).toEqual([['ab'], { items: 0, bytes: 0 }])
    add('c', 5)
    await turns()
    add('d', 6)
    expect([groups(), commit.queued, settled]).toEqual([['ab'], { items: 2, bytes: 11 }, []])
    await flushes[0]!.end()
    expect([groups(), commit.queued, settled]).toEqual([['ab', 'cd'], { items: 0, bytes: 0 }, ['a', 'b']])
    await flushes[1]!.end()
    expect(settled).toEqual(['a', 'b', 'c', 'd'])
    add('e')
    await turns()
    expect(groups()).toEqual(['ab', 'cd', 'e'])
  })

  test('holds as many bytes as are allowed and not one more, and always one item', async () => {
    const { commit, flushes, settled, add, groups } = setup(10)
    for (const [item, bytes] of [
      ['a', 4],
      ['b', 6],
      ['c', 1],
      ['d', 10],
      ['e', 99],
      ['f', 0],
      ['g', 10],
      ['h', 0]
    ] as const) {
      add(item, bytes)
    }
    const waiting: number[] = []
    for (let i = 0; i < 6; i++) {
      await turns()
      waiting.push(commit.queued.bytes)
      await flushes[i]?.end()
    }
    expect(groups()).toEqual(['ab', 'c', 'd', 'e', 'fgh'])
    expect(waiting).toEqual([120, 119, 109, 10, 0, 0])
    expect(settled.join('')).toBe('abcdefgh')
  })
})

describe('a flush that fails', () => {
  test('is the last: its items, those behind it and all that come later get its error', async () => {
    const { commit, flushes, settled, add, groups } = setup()
    expect(commit.failure).toBeUndefined()
    add('a')
    await turns()
    add('b', 7)
    const error = new Error('EIO')
    await flushes[0]!.end(error)
    expect([settled, commit.queued]).toEqual([['a: EIO', 'b: EIO'], { items: 0, bytes: 0 }])
    expect(commit.failure).toBe(error)
    add('c')
    await turns()
    expect([settled.at(-1), groups(), commit.queued.items]).toEqual(['c: EIO', ['a'], 0])
    await commit.drain()
  })

  test('with something that is no error gives one all the same', async () => {
    const { commit, flushes, settled, add } = setup()
    add('a')
    await turns()
    await flushes[0]!.end('a word')
    expect(settled).toEqual(['a: a word'])
    expect(commit.failure).toBeInstanceOf(Error)
  })
})

describe('draining', () => {
  test('ends when nothing is queued or running, also what was added meanwhile', async () => {
    const { commit, flushes, add, groups } = setup()
    await commit.drain()
    add('a')
    let isDrained = false
    void commit.drain().then(() => (isDrained = true))
    await turns()
    add('b')
    await flushes[0]!.end()
    expect([isDrained, groups()]).toEqual([false, ['a', 'b']])
    await flushes[1]!.end()
    expect(isDrained).toBe(true)
  })
})

describe('a process that has died', () => {
  test.each([undefined, new Error('EIO')])('hears nothing, and writes nothing more (%s)', async (error) => {
    const { commit, flushes, settled, add, groups } = setup()
    add('a')
    await turns()
    add('b', 5)
    commit.abandon()
    expect(commit.queued).toEqual({ items: 0, bytes: 0 })
    add('c')
    expect(commit.queued.items).toBe(0)
    await flushes[0]!.end(error)
    add('d')
    await turns()
    await commit.drain()
    expect([settled, groups()]).toEqual([error === undefined ? [] : ['d: EIO'], ['a']])
  })
})
