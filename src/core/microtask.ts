/**
 * The end of this turn: after the code that runs now, before anything else that waits.
 *
 * `queueMicrotask` says the same, but in Node it makes an AsyncResource for each call, binds it, and tells the hooks of async_hooks when it
 * runs and ends. A promise that is done knows none of that. Two of these belong to each message that comes or goes.
 */
const DONE = Promise.resolve()

/** What `fn` throws ends the process, as an unhandled rejection instead of an uncaught exception. */
export function atEndOfTurn(fn: () => void): void {
  void DONE.then(fn)
}
