import { expect } from 'vitest'

/** `expect.poll` with a limit for a busy machine; it ends as soon as it holds. */
export const eventually = <T>(look: () => T | Promise<T>): ReturnType<typeof expect.poll<T>> =>
  expect.poll(look, { timeout: 20_000, interval: 10 })
