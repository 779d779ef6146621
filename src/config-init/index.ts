/** What a cluster is given before it exists, resolved once: timing presets and the rules for overriding them. */
export { isTimingPreset, resolveTiming, timingPresets, timingProblems } from './timing.ts'
export type { FormationTiming, NetworkTiming, Timing, TimingOverrides, TimingPreset } from './timing.ts'
