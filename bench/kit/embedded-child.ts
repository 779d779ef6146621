/**
 * A program that embeds the library, as examples/embed.ts does, and prints every event as `quorate up --json` does. It hands over when
 * it is told to. Nothing of Node.js or V8 is set up here: such a program is its author's, and most set up nothing.
 */
import { createInterface } from 'node:readline'
import { createNode, QuorateError, type StampedNodeEvent } from 'quorate'
import { CALL, type Called, CALLED_MARK, type EmbeddedInit } from './embedded-mark.ts'

const events = new EventTarget()
events.addEventListener('*', (event) => {
  process.stdout.write(`${JSON.stringify((event as CustomEvent<StampedNodeEvent>).detail)}\n`)
})
const node = await createNode({ ...(JSON.parse(process.argv[2]!) as EmbeddedInit), events })

createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === CALL) void handOver()
  })
  .on('close', () => process.exit())

async function handOver(): Promise<void> {
  // The clock of events.
  const at = performance.timeOrigin + performance.now()
  const error = await node.transfer().then(() => null, refusal)
  const called: Called = { at, error }
  process.stderr.write(`${CALLED_MARK}${JSON.stringify(called)}\n`)
}

/** Anything but a refusal ends the process, and with it the benchmark. */
function refusal(error: unknown): string {
  if (error instanceof QuorateError) return error.message
  throw error
}
