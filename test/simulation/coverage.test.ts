/** The campaign's conscience: what it must have seen comes from the sources, and it fails when it has not. */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { REFUSAL_CODES } from '../../src/membership/refusal.ts'
import { CANNOT_HAPPEN, demanded, gapsIn, notFired } from '../../src/simulation/coverage.ts'
import { type CampaignReport, runCampaign } from '../../src/simulation/index.ts'
import { campaignText, mergeReports } from './campaign-report.ts'

describe('coverage', () => {
  it('demands every code of the sources that has no reason to be missing', () => {
    for (const code of REFUSAL_CODES) {
      const key = `admission: ${code}`
      expect(demanded().includes(key) || key in CANNOT_HAPPEN, key).toBe(true)
    }
    expect(demanded()).toContain('role: leader > follower')
    expect(demanded()).not.toContain('role: pre-candidate > leader')
  })

  it('names what is missing, and what happened although it cannot', () => {
    const all = Object.fromEntries(demanded().map((key) => [key, 1]))
    expect(gapsIn(all)).toEqual({ missing: [], impossible: [] })
    const { 'snapshot: restored': _, ...fewer } = all
    expect(gapsIn({ ...fewer, 'role: pre-candidate > leader': 1 })).toEqual({
      missing: ['snapshot: restored'],
      impossible: ['role: pre-candidate > leader']
    })
    expect(notFired({ P5: 1 }, ['P5', 'D4'])).toEqual(['D4'])
  })

  it('gives every reason for what there is', () => {
    const kinds = new Set(demanded().map((key) => key.split(':')[0]))
    for (const key of Object.keys(CANNOT_HAPPEN)) expect(kinds, key).toContain(key.split(':')[0])
  })
})

describe('the report of a campaign', () => {
  it('adds its shares up, and fails for a violation and for whatever never happened', async () => {
    const share = await runCampaign({ nodes: 3, seeds: { from: 1, to: 3 }, seconds: 4, clock: systemClock })
    const report = mergeReports([share, share], [], 2)
    expect(report).toMatchObject({
      seeds: 6,
      virtualSeconds: share.virtualSeconds * 2,
      events: share.events * 2,
      elections: share.elections * 2,
      worstRecoveryMs: share.recoveryMs!.max,
      violations: []
    })
    expect(report.failures).toContain('never seen: standing: barred')
    const violation = { seed: 7, invariant: 'election-safety', atMs: 1, detail: 'two of them' }
    const broken: CampaignReport = { ...share, violations: [violation] }
    expect(mergeReports([broken], [], 1).failures[0]).toBe('election-safety in seed 7 of 3: two of them')
    const text = campaignText({ ...report, violations: [{ nodes: 3, ...violation }] }, 4)
    const again = 'quorate simulate --light --nodes 3 --seconds 4 --seeds 7'
    for (const word of [again, '3 voters', 'elections', 'recovery', 'trace', 'faults:', 'coverage:', 'FAILED']) {
      expect(text).toContain(word)
    }
    expect(JSON.parse(JSON.stringify(report))).toEqual(report)
  })
})
