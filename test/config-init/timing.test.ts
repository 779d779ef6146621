import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveTiming, timingPresets, timingProblems } from '../../src/config-init/index.ts'
import type { Timing, TimingPreset } from '../../src/config-init/index.ts'
import { InvalidOptionError } from '../../src/core/errors.ts'

const names: readonly TimingPreset[] = ['fast', 'lan', 'wan', 'edge']

describe('presets', () => {
  it.each(names)('%s keeps every rule', (name) => {
    expect(timingProblems(timingPresets[name])).toEqual([])
  })

  it('grow more patient from fast over lan and wan to edge, number by number', () => {
    const flat = ({ raft, formation, network }: Timing): [string, number][] =>
      [raft, formation, network].flatMap((group, i) =>
        Object.entries(group).map(([k, v]) => [`${i}.${k}`, v as number])
      )
    const presets = names.map((name) => Object.fromEntries(flat(timingPresets[name])))
    for (const key of Object.keys(presets[0]!)) {
      for (let i = 1; i < presets.length; i++) expect(presets[i]![key], key).toBeGreaterThan(presets[i - 1]![key]!)
    }
  })
})

describe('resolveTiming', () => {
  it('gives the lan preset by default', () => {
    expect(resolveTiming()).toEqual(timingPresets.lan)
  })

  it('puts overrides over the preset and leaves the preset alone', () => {
    const before = structuredClone(timingPresets.wan)
    const timing = resolveTiming('wan', { raft: { heartbeatMs: 100 }, network: { dialTimeoutMs: 1 } })
    expect(timing.raft).toEqual({ ...before.raft, heartbeatMs: 100 })
    expect(timing.network.dialTimeoutMs).toBe(1)
    expect(timing.formation).toEqual(before.formation)
    expect(timingPresets.wan).toEqual(before)
  })

  it('takes an override that is undefined for none', () => {
    expect(resolveTiming('lan', { raft: { heartbeatMs: undefined } as object })).toEqual(timingPresets.lan)
  })

  it.each([
    [{ raft: { heartbeatMs: 200 } }, /heartbeatMs \(200\) must be less than a third of raft.electionTimeoutMs \(500\)/],
    [{ raft: { electionTimeoutMinMs: 100 } }, /less than half of raft.electionTimeoutMinMs \(100\)/],
    [
      { raft: { electionTimeoutMinMs: 501 } },
      /electionTimeoutMinMs \(501\) must be at most raft.electionTimeoutMs \(500\)/
    ],
    [{ raft: { jitterMs: 20 } }, /jitterMs \(20\) must be less than raft.rankStepMinMs \(20\)/],
    [
      { raft: { rankStepMs: 100 } },
      /rankStepMs \(100\) must be from raft.rankStepMinMs \(20\) to raft.rankStepMaxMs \(80\)/
    ],
    [{ raft: { rankStepMs: 19 } }, /rankStepMs \(19\) must be from/],
    [{ raft: { rankStepMaxMs: 500 } }, /rankStepMaxMs \(500\) must be less than raft.electionTimeoutMs/],
    [{ formation: { campaignTimeoutMs: 250 } }, /formation.rankStepMs \(250\) must be less than/],
    [{ formation: { rankStepMs: 10 } }, /formation.rankStepMs \(10\) must be at least raft.rankStepMs \(20\)/],
    [{ raft: { heartbeatMs: 0 } }, /raft.heartbeatMs must be a number of milliseconds above 0/],
    [{ raft: { heartbeatMs: Number.NaN } }, /not NaN/],
    [{ network: { dialTimeoutMs: Infinity } }, /network.dialTimeoutMs .* not Infinity/],
    [{ network: { frameTimeoutMs: '5s' as unknown as number } }, /not 5s/],
    [{ raft: { heartbeat: 5 } as Partial<Timing['raft']> }, /no number called heartbeat/]
  ])('refuses %j with a sentence', (overrides, sentence) => {
    expect(() => resolveTiming('lan', overrides)).toThrow(InvalidOptionError)
    expect(() => resolveTiming('lan', overrides)).toThrow(sentence)
  })

  it('names every broken rule at once', () => {
    const attempt = (): Timing => resolveTiming('lan', { raft: { heartbeatMs: 100, jitterMs: 30 } })
    expect(attempt).toThrow(/heartbeatMs.*jitterMs/)
  })

  it('refuses an unknown preset', () => {
    expect(() => resolveTiming('moon' as TimingPreset)).toThrow(/"moon" is unknown/)
    expect(() => resolveTiming('constructor' as TimingPreset)).toThrow(/unknown/)
  })

  it('never returns numbers that break the heartbeat rule', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1000 }),
        fc.double({ min: 1, max: 3000 }),
        (heartbeatMs, electionTimeoutMs) => {
          try {
            const { raft } = resolveTiming('lan', { raft: { heartbeatMs, electionTimeoutMs } })
            expect(raft.heartbeatMs * 3).toBeLessThan(raft.electionTimeoutMs)
          } catch (error) {
            if (!(error instanceof InvalidOptionError)) throw error
          }
        }
      )
    )
  })
})
