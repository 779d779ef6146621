import type { ChildProcess } from 'node:child_process'

/** Resolves when the process has ended, also when it has already. */
export const exitOf = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => void child.once('exit', () => resolve()))

/** Ends processes at once, and waits for it. */
export async function killAll(children: readonly ChildProcess[]): Promise<void> {
  const ended = children.map(exitOf)
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ended)
}
