/**
 * Model checking of the shipped formation code (FAULTS 12, O3, P1, P4).
 *
 * The short run takes seconds. `QUORATE_MODEL=large npx vitest run --project unit test/model` adds the large spaces:
 * several minutes, up to 2 GB.
 */
import { describe, expect, it } from 'vitest'
import type { Claim, FormationMessage, FormationState } from '../../src/formation/index.ts'
import { makeClaim } from '../formation/fake-crypto.ts'
import type { Exploration } from './explorer.ts'
import { FormationModel, type ModelInit, termlessCrypto } from './formation-model.ts'
import { exploreAndPrint } from './print.ts'

const LARGE = process.env.QUORATE_MODEL === 'large'
const MINUTES = 60_000

/** Peers a, b, c on seats 1, 2, 3; each further incarnation on a seat is the same machine, wiped. */
function seats(...list: readonly number[]): Claim[] {
  const born = new Map<number, number>()
  return list.map((seat) => {
    born.set(seat, (born.get(seat) ?? 0) + 1)
    return makeClaim('abc'[seat - 1]!, seat, born.get(seat))
  })
}

/** Machines that share one founding token: any of them can be in one quorum, which is the most general case. */
const pool = (count: number): Claim[] => Array.from({ length: count }, (_, i) => makeClaim('pqrstu'[i]!, 0))

const ANSWERS = ['certificate', 'refuse'] as const

const explore = (name: string, init: ModelInit, statesMax = 8_000_000, messagesMax = 128): Exploration =>
  exploreAndPrint(name, new FormationModel(init), statesMax, messagesMax)

interface Space {
  readonly name: string
  readonly init: Omit<ModelInit, 'oneSetPerTerm'>
  readonly statesMax?: number
  readonly messagesMax?: number
}

const SMALL: readonly Space[] = [
  { name: 'N=2, M=2, 1 term, every message kind', init: { foundingSize: 2, claims: seats(1, 2), termMax: 1 } },
  {
    name: 'N=2, M=2, 2 terms, every message kind, synchronous disk',
    init: { foundingSize: 2, claims: seats(1, 2), termMax: 2, disk: 'synchronous' }
  },
  {
    name: 'N=2, M=2, 2 terms',
    init: { foundingSize: 2, claims: seats(1, 2), termMax: 2, lost: ANSWERS }
  },
  {
    name: 'N=2, M=3, 1 term, every message kind, synchronous disk',
    init: { foundingSize: 2, claims: seats(1, 2, 1), termMax: 1, disk: 'synchronous' }
  },
  {
    name: 'N=2, M=3, 2 terms, synchronous disk',
    init: { foundingSize: 2, claims: seats(1, 2, 1), termMax: 2, disk: 'synchronous', lost: ANSWERS }
  },
  { name: 'N=2, M=3, pool, 1 term', init: { foundingSize: 2, claims: pool(3), termMax: 1, lost: ANSWERS } },
  {
    name: 'N=2, M=3, pool, 2 terms, synchronous disk',
    init: { foundingSize: 2, claims: pool(3), termMax: 2, disk: 'synchronous', lost: ANSWERS }
  },
  {
    name: 'N=3, M=3, 2 terms, synchronous disk',
    init: { foundingSize: 3, claims: seats(1, 2, 3), termMax: 2, disk: 'synchronous', lost: ANSWERS }
  },
  { name: 'N=3, M=3, 1 term', init: { foundingSize: 3, claims: seats(1, 2, 3), termMax: 1, lost: ANSWERS } },
  {
    name: 'N=3, M=4, 1 term, synchronous disk',
    init: { foundingSize: 3, claims: seats(1, 2, 3, 1), termMax: 1, disk: 'synchronous', lost: ANSWERS }
  }
]

const BIG: readonly Space[] = [
  {
    name: 'N=2, M=3, 1 term, with certificates',
    init: { foundingSize: 2, claims: seats(1, 2, 1), termMax: 1, lost: ['refuse'] }
  },
  {
    name: 'N=2, M=2, 3 terms',
    init: { foundingSize: 2, claims: seats(1, 2), termMax: 3, lost: ANSWERS },
    messagesMax: 64
  },
  {
    name: 'N=2, M=3, 3 terms, synchronous disk',
    init: { foundingSize: 2, claims: seats(1, 2, 1), termMax: 3, disk: 'synchronous', lost: ANSWERS },
    statesMax: 20_000_000
  },
  {
    name: 'N=3, M=4, 2 terms, synchronous disk',
    init: { foundingSize: 3, claims: seats(1, 2, 3, 1), termMax: 2, disk: 'synchronous', lost: ANSWERS },
    statesMax: 20_000_000
  }
]

describe('below 2N incarnations there is one founding set, and one in each term', () => {
  for (const { name, init, statesMax, messagesMax } of LARGE ? [...SMALL, ...BIG] : SMALL) {
    it(name, { timeout: 20 * MINUTES }, () => {
      const found = explore(name, { ...init, oneSetPerTerm: true }, statesMax, messagesMax)
      expect(found.violation).toBeUndefined()
      expect(found.complete).toBe(true)
    })
  }
})

const QUIET = { disk: 'synchronous', lost: ANSWERS } as const

describe('at 2N incarnations the split is there, and found', () => {
  it('N=1, M=2', () => {
    const found = explore('N=1, M=2', { ...QUIET, foundingSize: 1, claims: seats(1, 1), termMax: 1 })
    expect(found.violation?.reason).toBe('a#1 and a#2')
  })

  it('N=2, M=4: two wiped machines', () => {
    const found = explore('N=2, M=4', { ...QUIET, foundingSize: 2, claims: seats(1, 2, 1, 2), termMax: 1 })
    expect(found.violation?.reason).toBe('a#1 b#2 and a#2 b#1')
    expect(
      found.violation?.path.map((step) => step.replace(/hears (\d): {"type":"([^"]+)".*/, 'hears $1: $2'))
    ).toEqual([
      '0 campaigns 0',
      '1 campaigns 1',
      '2 hears 1: request-vote',
      '1 hears 2: vote',
      '2 hears 1: propose',
      '1 hears 2: accept',
      // Its vote for the first was not asked for.
      '3 gathers 0',
      '0 hears 3: vote',
      '3 hears 0: propose',
      '0 hears 3: accept'
    ])
  })

  it('N=2, M=4: two spares in a pool', () => {
    const found = explore('N=2, M=4, pool', { ...QUIET, foundingSize: 2, claims: pool(4), termMax: 1 })
    expect(found.violation?.reason).toMatch(/ and /)
  })

  it('N=3, M=6', () => {
    const schedule = [
      { candidate: 0, reaches: [1, 2] },
      { candidate: 3, reaches: [4, 5] }
    ]
    const claims = seats(1, 2, 3, 1, 2, 3)
    const found = explore('N=3, M=6', { ...QUIET, foundingSize: 3, claims, termMax: 2, schedule })
    expect(found.violation?.reason).toBe('a#1 b#1 c#1 and a#2 b#2 c#2')
  })
})

describe('a rule taken away splits it below 2N, and the checker sees that', () => {
  const twoOfThree = { ...QUIET, foundingSize: 2, claims: seats(1, 2, 1) } as const

  it('a vote forgotten on restart', () => {
    const plant = { restore: (state: FormationState) => ({ ...state, votedFor: undefined }) }
    const found = explore('vote forgotten', { ...twoOfThree, termMax: 2, plant })
    expect(found.violation?.reason).toBe('a#1 b#1 and a#2 b#1')
  })

  it('a disk that says durable before it is', () => {
    const plant = { lyingDisk: true }
    const found = explore('lying disk', { ...twoOfThree, disk: 'asynchronous', termMax: 1, plant })
    expect(found.violation?.reason).toBe('a#1 b#1 and a#2 b#1')
  })

  /** A vote won by naming a set that was then lost in a crash is counted when the candidate asks in that term again. */
  const renamed = {
    ...QUIET,
    disk: 'asynchronous',
    foundingSize: 2,
    claims: pool(3),
    termMax: 2,
    schedule: [
      { candidate: 0, reaches: [1, 2] },
      { candidate: 2, reaches: [1] }
    ]
  } as const

  it('a vote request that names an accepted set before that is durable', () => {
    const found = explore('hasty request', { ...renamed, plant: { hasty: 'request-vote' } })
    expect(found.violation?.reason).toBe('p#1 r#1 and q#1 r#1')
    expect(explore('request, mended', renamed)).toMatchObject({ violation: undefined, complete: true })
  })

  it('a candidate with an older accepted set is not refused', () => {
    const tamper = (message: FormationMessage): FormationMessage =>
      message.type === 'request-vote' ? { ...message, acceptedTerm: Number.MAX_SAFE_INTEGER } : message
    const found = explore('no refusal', { ...twoOfThree, termMax: 2, plant: { tamper } })
    expect(found.violation?.reason).toBe('a#1 b#1 and a#2 b#1')
  })

  it('votes of different terms added up', () => {
    const tamper = (message: FormationMessage, { term }: FormationState): FormationMessage =>
      message.type === 'vote' ? { ...message, term } : message
    const found = explore('votes added up', { ...twoOfThree, crashes: false, termMax: 3, plant: { tamper } })
    expect(found.violation?.reason).toBe('a#1 b#1 and a#2 b#1')
  })

  /** Two founders were wiped: c is connected first to one pair, then to the other. */
  const wiped = {
    ...QUIET,
    foundingSize: 3,
    claims: seats(1, 2, 3, 1, 2),
    termMax: 2,
    schedule: [
      { candidate: 0, reaches: [1, 2] },
      { candidate: 2, reaches: [3, 4] }
    ]
  } as const

  it('a majority instead of all N', () => {
    const found = explore('majority', { ...wiped, plant: { quorum: 2 } })
    expect(found.violation?.reason).toBe('a#1 b#1 c#1 and a#2 b#2 c#1')
    expect(explore('majority, mended', wiped)).toMatchObject({ violation: undefined, complete: true })
  })

  /** A set accepted by two in term 1 and by a third in term 3 is not agreed: term 4 may still go back to the set of term 2. */
  const crossed = {
    ...QUIET,
    foundingSize: 3,
    claims: pool(5),
    termMax: 4,
    crashes: false,
    schedule: [
      { candidate: 0, reaches: [1, 2] },
      { candidate: 3, reaches: [2, 4] },
      { candidate: 0, reaches: [2, 4] },
      { candidate: 3, reaches: [1, 4] }
    ]
  } as const

  it('acceptances of different terms added up', () => {
    const tamper = (message: FormationMessage, { term }: FormationState): FormationMessage =>
      message.type === 'accept' ? { ...message, term } : message
    const found = explore('acceptances added up', { ...crossed, plant: { crypto: termlessCrypto, tamper } })
    expect(found.violation?.reason).toBe('p#1 q#1 r#1 and r#1 s#1 t#1')
    expect(explore('acceptances, mended', crossed)).toMatchObject({ violation: undefined, complete: true })
  })
})
