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
} as const satisfies SecureContextOptions
