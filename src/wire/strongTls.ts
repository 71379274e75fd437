import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/**
 * What every listener speaks, its key and certificate aside: TLS 1.2 and later, with forward secrecy and authenticated
 * encryption only (RFC 9325 §4.2). No CBC, no RSA key exchange, no finite-field Diffie-Hellman. A renewed context needs it again.
 */
export const strongTls = {
  minVersion: 'TLSv1.2',
  // Without one of TLS 1.3's own there would be no TLS 1.3.
  ciphers: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'TLS_AES_128_GCM_SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
    'ECDHE-ECDSA-CHACHA20-POLY1305',
    'ECDHE-RSA-CHACHA20-POLY1305',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
  ].join(':'),
  honorCipherOrder: true,
  // No group of 112 bits, as finite-field ones are.
  ecdhCurve: 'X25519MLKEM768:X25519:prime256v1:secp384r1',
  // What a handshake has shown is not replaced under a session that goes on, nor taken over by a later one: the key of the
  // tickets would live as long as this process, and open what it has ever said in TLS 1.2 to those who find it (RFC 9325 §3.4).
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_TICKET,
} as const satisfies SecureContextOptions
