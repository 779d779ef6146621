/**
 * What becomes of the n-th message of a link is a pure function of (seed, link, n, question). No stream is consumed, so
 * taking one fault away leaves every other message's fate as it was: that is what makes shrinking work.
 */
export interface Fate {
  /** Uniform in [0, 1). */
  unit(link: number, n: number, question: number): number
}

/** The questions, each with a salt of its own. */
export const FATE = {
  delay: 1,
  loss: 2,
  duplicate: 3,
  reorder: 4,
  spike: 5,
  replay: 6,
  dial: 7,
  sync: 8,
  flip: 9,
  priority: 10
} as const

export function createFate(seed: number): Fate {
  const base = finish(seed ^ 0x6a09e667)
  return {
    unit: (link, n, question) =>
      finish(base ^ Math.imul(link + 1, 0x9e3779b1) ^ Math.imul(n + 1, 0x85ebca77) ^ Math.imul(question, 0xc2b2ae3d)) /
      2 ** 32
  }
}

/** The finalizer of MurmurHash3 (Appleby), twice: neighbouring inputs give unrelated outputs. */
function finish(value: number): number {
  let h = value | 0
  for (let round = 0; round < 2; round++) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    h ^= h >>> 16
    h = (h + 0x9e3779b9) | 0
  }
  return h >>> 0
}
