/** What every model says about itself when it has been explored. */
import { type Exploration, Explorer, type System } from './explorer.ts'

/** Explores, and prints what was seen: a check whose size nobody knows proves little. */
export function exploreAndPrint<S, M>(
  name: string,
  system: System<S, M>,
  statesMax: number,
  messagesMax: number
): Exploration {
  const since = performance.now()
  const found = new Explorer(system, messagesMax).explore(statesMax)
  const seconds = ((performance.now() - since) / 1000).toFixed(1)
  const end =
    found.violation === undefined ? (found.complete ? 'all of them' : 'bound reached') : found.violation.reason
  process.stdout.write(
    `model ${name}: ${found.states.toLocaleString('en')} states, ${found.transitions.toLocaleString('en')} transitions, ` +
      `${found.localSteps.toLocaleString('en')} runs of the code, ${seconds} s: ${end}\n`
  )
  return found
}
