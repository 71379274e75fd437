import { hash } from 'node:crypto'

/** SHA-256, hex, of a transcript's octets: every one of them counts. */
export const transcriptDigest = (transcript: string): string => hash('sha256', transcript, 'hex')
