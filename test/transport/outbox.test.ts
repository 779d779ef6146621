import { describe, expect, test } from 'vitest'
import { FrameDecoder, FrameKind } from '../../src/transport/framing.ts'
import { Outbox } from '../../src/transport/outbox.ts'

async function turn(): Promise<void> {
  await Promise.resolve()
  await Promise.resolve()
}

function outbox(bytesMax = 1_000) {
  const writes: Uint8Array[] = []
  const errors: unknown[] = []
  let takesMore = true
  const box = new Outbox({ bytesMax, onWriteError: (error) => errors.push(error) })
  const sink = {
    write(bytes: Uint8Array) {
      writes.push(bytes)
      return takesMore
    }
  }
  const bodies = (): number[] => {
    const decoder = new FrameDecoder(1_000_000)
    const lengths: number[] = []
    for (const bytes of writes) {
      decoder.push(bytes)
      for (let one = decoder.next(); one !== undefined; one = decoder.next()) lengths.push(one.body.byteLength)
    }
    return lengths
  }
  return { box, sink, writes, errors, bodies, block: (blocked: boolean) => void (takesMore = !blocked) }
}

const body = (length: number): Uint8Array => new Uint8Array(length)

describe('Outbox', () => {
  test('frames of one turn are one write', async () => {
    const { box, sink, writes, bodies } = outbox()
    box.attach(sink)
    for (let i = 0; i < 10; i++) box.push(FrameKind.data, body(i))
    expect(writes).toHaveLength(0)
    await turn()
    expect(writes).toHaveLength(1)
    expect(bodies()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(box.byteLength).toBe(0)
  })

  test('frames wait for their sink', async () => {
    const { box, sink, writes, bodies } = outbox()
    box.push(FrameKind.data, body(1))
    await turn()
    expect(writes).toHaveLength(0)
    box.attach(sink)
    await turn()
    expect(bodies()).toEqual([1])
  })

  test('a full queue refuses, and takes again when it has drained', async () => {
    const { box, sink, block, bodies } = outbox(300)
    block(true)
    box.attach(sink)
    expect(box.push(FrameKind.data, body(100))).toBe(true)
    await turn()
    expect(box.push(FrameKind.data, body(101))).toBe(true)
    expect(box.push(FrameKind.data, body(102))).toBe(true)
    expect(box.push(FrameKind.data, body(103))).toBe(false)
    await turn()
    expect(bodies()).toEqual([100])
    block(false)
    box.drained()
    expect(bodies()).toEqual([100, 101, 102])
    expect(box.push(FrameKind.data, body(104))).toBe(true)
  })

  test('a large backlog leaves in several writes', () => {
    const { box, sink, writes } = outbox(10_000_000)
    for (let i = 0; i < 100; i++) box.push(FrameKind.data, body(50_000))
    box.attach(sink)
    box.flush()
    expect(writes.length).toBeGreaterThan(10)
    expect(Math.max(...writes.map((bytes) => bytes.byteLength))).toBeLessThan(400_000)
  })

  test('a sink that throws is detached; frames that it was not given wait for the next one', async () => {
    const { box, sink, errors, bodies } = outbox()
    const broken = new Error('closed')
    box.attach({
      write() {
        throw broken
      }
    })
    box.push(FrameKind.data, body(1))
    await turn()
    expect(errors).toEqual([broken])
    box.push(FrameKind.data, body(2))
    box.attach(sink)
    await turn()
    expect(bodies()).toEqual([2])
  })

  test('whenEmpty resolves when everything was taken, or when the sink has gone', async () => {
    const { box, sink } = outbox()
    await box.whenEmpty()
    box.push(FrameKind.data, body(1))
    let empty = false
    const waiting = box.whenEmpty().then(() => (empty = true))
    await turn()
    expect(empty).toBe(false)
    box.attach(sink)
    await waiting
    box.detach()
    box.push(FrameKind.data, body(1))
    const gone = box.whenEmpty()
    box.detach()
    await gone
  })
})
