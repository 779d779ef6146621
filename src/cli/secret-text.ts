/** Tokens in text that people see: whatever way a token got there, it is not shown. */

/** Also one that was changed on its way: in capitals, of a version that does not exist. The bare prefix tells nothing. */
const TOKEN_TEXT = /qtk\d*\.[A-Za-z0-9_-]+/gi

export const REDACTED = '[redacted]'

export const withoutTokens = (text: string): string => text.replaceAll(TOKEN_TEXT, REDACTED)

export const holdsToken = (text: string): boolean => withoutTokens(text) !== text
