/** A token bucket on the caller's clock: `burst` at once, then `perSecond`. */
export interface TokenBucket {
  /** Takes a token when there is one. */
  take(now: number): boolean
  /** When the next token is there; `now` when there is one already. */
  readyAt(now: number): number
}

export function createTokenBucket(burst: number, perSecond: number): TokenBucket {
  let tokens = burst
  let filledAt: number | undefined
  const fill = (now: number): void => {
    tokens = Math.min(burst, tokens + (Math.max(0, now - (filledAt ?? now)) * perSecond) / 1000)
    filledAt = Math.max(now, filledAt ?? now)
  }
  return {
    take(now) {
      fill(now)
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
    readyAt(now) {
      fill(now)
      // A hair later than exact, because a sum of fractions may end just below one.
      return tokens >= 1 ? now : now + ((1 - tokens) * 1000) / perSecond + 0.001
    }
  }
}
