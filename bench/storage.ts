/**
 * How long a durable write and a start take: `node bench/storage.ts [DIRECTORY] [SECONDS]`.
 *
 * A batch is one entry of 1 KiB. `floor` is the bare system calls on the same disk, without a log: one write of as many
 * bytes and one fdatasync, into space that was written before. What the log adds is the difference.
 *
 * The start is measured with a history of a million entries of 32 bytes: without snapshots all of it is read, with a
 * snapshot every 100,000 entries, which keeps the last 1,000, next to nothing. `files` reads the same files and nothing else.
 */
import {
  closeSync,
  fdatasync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  write,
  writeSync
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { utf8 } from '../src/core/bytes.ts'
import { systemClock } from '../src/core/clock.ts'
import { sha256 } from '../src/core/hash.ts'
import { createMemoryStorage } from '../src/storage/memory.ts'
import type { Storage, WriteBatch } from '../src/storage/port.ts'
import { createWalDirectory } from '../src/storage/wal/directory.ts'
import { openWalStorage } from '../src/storage/wal/wal.ts'

const seconds = Number(process.argv[3] ?? 3)
const root = mkdtempSync(join(resolve(process.argv[2] ?? tmpdir()), 'quorate-bench-'))
const owner = { domainId: sha256(utf8('bench')), peerId: '12D3KooWbench', storeId: new Uint8Array(16) }
const data = new Uint8Array(1024).map((_, i) => i * 31)

const print = (line: string): void => void process.stdout.write(`${line}\n`)

function report(name: string, latenciesMs: number[], elapsedMs: number): void {
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number): string => latenciesMs[Math.floor((latenciesMs.length - 1) * share)]!.toFixed(3)
  const perSecond = Math.round((latenciesMs.length / elapsedMs) * 1000)
  const numbers = `p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  max ${at(1)} ms`
  print(`${name.padEnd(34)} n ${String(latenciesMs.length).padStart(7)}  ${numbers}  ${perSecond} batches/s`)
}

/** `inFlight` writers, each with its next write when the one before is done; the first tenth of the time is warm-up. */
async function measure(name: string, inFlight: number, writeOne: () => Promise<void>): Promise<void> {
  const begin = systemClock.now()
  const [counted, end] = [begin + seconds * 100, begin + seconds * 1000]
  const latenciesMs: number[] = []
  const writer = async (): Promise<void> => {
    for (let now = systemClock.now(); now < end;) {
      await writeOne()
      const after = systemClock.now()
      if (now >= counted) latenciesMs.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: inFlight }, writer))
  report(name, latenciesMs, systemClock.now() - counted)
}

function appender(storage: Storage): () => Promise<void> {
  let index = storage.recovered.entries.at(-1)?.index ?? 0
  return () => {
    const batch: WriteBatch = { entries: [{ index: ++index, term: 1, type: 1, data }] }
    return storage.write(batch)
  }
}

async function measureFloor(): Promise<void> {
  const fd = openSync(join(root, 'floor'), 'w')
  const size = 16 * 1024 * 1024
  writeSync(fd, new Uint8Array(size))
  fsyncSync(fd)
  const bytes = new Uint8Array(1091).fill(7)
  let position = 0
  await measure('floor: fs.write + fs.fdatasync', 1, () => {
    position = (position + bytes.byteLength) % (size - bytes.byteLength)
    return new Promise((done, fail) => {
      write(fd, bytes, 0, bytes.byteLength, position, (failed) => {
        if (failed !== null) fail(failed)
        else fdatasync(fd, (error) => (error === null ? done() : fail(error)))
      })
    })
  })
  closeSync(fd)
}

async function measureLog(): Promise<void> {
  const directory = join(root, 'wal')
  await createWalDirectory(directory)
  const log = await openWalStorage({ directory, owner })
  const append = appender(log)
  for (const inFlight of [1, 8, 64]) await measure(`log, ${inFlight} in flight`, inFlight, append)
  const { frames, batches, bytes, segment } = log.stats()
  print(
    `${''.padEnd(34)} ${batches} batches in ${frames} frames, ${(bytes / 2 ** 20).toFixed(1)} MiB, ${segment} segments`
  )
  await log.close()
}

const historyEntries = 1_000_000

/** A history of small entries, in groups that wait together; with or without snapshots. */
async function writeHistory(directory: string, snapshots: boolean): Promise<void> {
  await createWalDirectory(directory)
  const log = await openWalStorage({ directory, owner })
  const small = new Uint8Array(32).fill(1)
  for (let last = 1000; last <= historyEntries; last += 1000) {
    const group = Array.from({ length: 1000 }, (_, i): WriteBatch => {
      return { entries: [{ index: last - 999 + i, term: 1, type: 1, data: small }] }
    })
    if (snapshots && last % 100_000 === 0) {
      group.push({ snapshot: { index: last, term: 1, data }, compactTo: last - 1000 })
    }
    await Promise.all(group.map((batch) => log.write(batch)))
  }
  await log.close()
}

/** The median of five, in ms of wall time and of CPU time. */
async function timed(once: () => Promise<void>): Promise<{ wallMs: number; cpuMs: number }> {
  const runs: { wallMs: number; cpuMs: number }[] = []
  for (let i = 0; i < 5; i++) {
    const [begin, cpu] = [systemClock.now(), process.cpuUsage()]
    await once()
    const { user, system } = process.cpuUsage(cpu)
    runs.push({ wallMs: systemClock.now() - begin, cpuMs: (user + system) / 1000 })
  }
  return runs.toSorted((a, b) => a.cpuMs - b.cpuMs)[2]!
}

async function measureStart(name: string, snapshots: boolean): Promise<number> {
  const directory = join(root, `start-${snapshots}`)
  await writeHistory(directory, snapshots)
  const files = await timed(async () => {
    for (const file of readdirSync(directory)) readFileSync(join(directory, file))
  })
  let kept = 0
  const start = await timed(async () => {
    const log = await openWalStorage({ directory, owner })
    kept = log.recovered.entries.length
    await log.close()
  })
  const ms = (time: typeof start): string => `${time.wallMs.toFixed(1)} ms (CPU ${time.cpuMs.toFixed(1)})`
  print(`${name.padEnd(34)} ${kept} entries in ${ms(start)}, files ${ms(files)}`)
  rmSync(directory, { recursive: true })
  return start.cpuMs
}

async function measureStarts(): Promise<void> {
  const whole = await measureStart('start, whole history', false)
  const short = await measureStart('start, with snapshots', true)
  print(`${''.padEnd(34)} ${(whole / short).toFixed(0)} times less CPU time with snapshots`)
}

try {
  print(`${process.version}, ${cpus().length} cores, ${root}`)
  await measureFloor()
  await measureLog()
  await measureStarts()
  const memory = createMemoryStorage()
  await measure('memory, 1 in flight', 1, appender(memory))
  await memory.close()
} finally {
  rmSync(root, { recursive: true, force: true })
}
