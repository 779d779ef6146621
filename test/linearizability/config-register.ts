/** What a replicated config promises to one caller at a time: a value with a version, set always or only on top of a version. */
import type { SequentialObject } from './checker.ts'

export interface Register {
  readonly version: number
  readonly value: number
}

export type RegisterCommand =
  | { readonly type: 'read' }
  | { readonly type: 'set'; readonly value: number }
  | { readonly type: 'compare-and-set'; readonly ifVersion: number; readonly value: number }

export type RegisterResult =
  | { readonly type: 'value'; readonly version: number; readonly value: number }
  | { readonly type: 'set'; readonly version: number }
  | { readonly type: 'conflict'; readonly actual: number }

export const configRegister = (initial: Register): SequentialObject<Register, RegisterCommand, RegisterResult> => ({
  initial,
  apply(state, command) {
    const { version } = state
    if (command.type === 'read') return { state, result: { type: 'value', ...state } }
    if (command.type === 'compare-and-set' && command.ifVersion !== version) {
      return { state, result: { type: 'conflict', actual: version } }
    }
    const next = { version: version + 1, value: command.value }
    return { state: next, result: { type: 'set', version: next.version } }
  },
  stateText: ({ version, value }) => `${version}=${value}`,
  resultText: (result) => JSON.stringify(result)
})
