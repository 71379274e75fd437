const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The octets of base64 text (RFC 4648 §4), strictly: undefined for what is none. */
export const decodeBase64 = (text: string): Buffer | undefined =>
  base64.test(text) ? Buffer.from(text, 'base64') : undefined
