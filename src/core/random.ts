/**
 * The only ambient chance in Quorate.
 *
 * `Random` is a small deterministic stream (xoshiro128**, Blackman and Vigna 2018) for jitter and simulation; it is seeded
 * from the operating system in production and from a number in tests. Keys, nonces and ids come from `secureBytes` alone.
 */
import { randomFillSync } from 'node:crypto'

export interface Random {
  /** Uniform in [0, 1), 32 bits of resolution. */
  next(): number
  /** Uniform integer in [low, high], both included. */
  int(low: number, high: number): number
  /** An independent stream named by `label`: the same seed and label always give the same stream. */
  fork(label: string): Random
}

export function secureBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length))
}

const SUPPLY_BYTES = 4_096
let supply: Uint8Array<ArrayBuffer> = new Uint8Array(0)

/**
 * As good as `secureBytes`, and cheaper for a few bytes: they come out of a supply that is drawn at once. For ids, which are no
 * secrets; a key must not lie in memory beside its successors.
 */
export function idBytes(length: number): Uint8Array<ArrayBuffer> {
  if (supply.byteLength < length) supply = secureBytes(Math.max(SUPPLY_BYTES, length))
  const bytes = supply.slice(0, length)
  supply = supply.subarray(length)
  return bytes
}

export const seededRandom = (seed: number | string): Random => stream(String(seed))

export const systemRandom = (): Random => stream(Buffer.from(secureBytes(16)).toString('hex'))

function stream(seed: string): Random {
  let [a, b, c, d] = expand(seed)
  const uint32 = (): number => {
    const result = Math.imul(rotl(Math.imul(b, 5), 7), 9) >>> 0
    const t = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = rotl(d, 11)
    return result
  }
  return {
    next: () => uint32() / 2 ** 32,
    int: (low, high) => low + Math.floor((uint32() / 2 ** 32) * (high - low + 1)),
    fork: (label) => stream(`${seed}/${label}`)
  }
}

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k))

/** Four words from a text by a 128-bit mixing of its code units (cyrb128 construction); never all zero. */
function expand(seed: string): [number, number, number, number] {
  let h1 = 1779033703
  let h2 = 3144134277
  let h3 = 1013904242
  let h4 = 2773480762
  for (let i = 0; i < seed.length; i++) {
    const k = seed.charCodeAt(i)
    h1 = h2 ^ Math.imul(h1 ^ k, 597399067)
    h2 = h3 ^ Math.imul(h2 ^ k, 2869860233)
    h3 = h4 ^ Math.imul(h3 ^ k, 951274213)
    h4 = h1 ^ Math.imul(h4 ^ k, 2716044179)
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067)
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233)
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213)
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179)
  return [h1 | 1, h2, h3, h4]
}
