/** A line on standard error, on which bench/kit/classic-hook.ts and bench/kit/paper-real.ts agree. */
export const LAGGING_MARK = 'quorate-bench-lagging'
