const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Undefined for what is not UTF-8. A byte order mark is a character like others. */
export const decodeUtf8 = (octets: Uint8Array): string | undefined => {
  try {
    return strict.decode(octets)
  } catch {
    return undefined
  }
}
