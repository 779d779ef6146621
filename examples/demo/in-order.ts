/** What several processes say arrives in no order: each line waits a moment for earlier ones. */

const SETTLE_MS = 100

export function inOrder(print: (at: number, text: string) => void): {
  readonly add: (at: number, text: string) => void
  readonly flush: () => void
} {
  let waiting: { readonly at: number; readonly text: string }[] = []
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    for (const { at, text } of waiting.toSorted((a, b) => a.at - b.at)) print(at, text)
    waiting = []
  }
  return {
    add(at, text) {
      waiting.push({ at, text })
      timer ??= setTimeout(flush, SETTLE_MS)
    },
    flush
  }
}
