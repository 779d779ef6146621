/** ISO 8601 where the number has such a form; a stranger's clock may say anything. */
export function dateText(epochMs: number): string {
  if (!Number.isFinite(epochMs) || Math.abs(epochMs) > 8.64e15) return `${epochMs} ms`
  return new Date(epochMs).toISOString()
}
